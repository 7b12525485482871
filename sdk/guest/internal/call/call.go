// Package call is what the packages below sdk/guest share inside a module: views of linear memory by address, the error that
// weir_error answers, and the yielding that lets Go's collector work. memory.go is for wasip1 builds only.
//
// It is not for plugins: they import guest, row and host.
package call

import "github.com/weir-ml/weir/sdk/abi"

// Schema asks the registered plugin for its columns; guest.Register sets it.
var Schema func() abi.Schema
