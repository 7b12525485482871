// Package assemblyscript holds the SDK for plugins in AssemblyScript: assembly/ has the library, test/ the guests by which it is tested
// here. It has no code in Go. Read README.md first.
package assemblyscript
