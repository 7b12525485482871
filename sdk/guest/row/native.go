//go:build !wasip1

package row

// Addresses of a native build do not fit into a row: in tests texts travel by number.
var texts [][]byte

func bytesAt(word uint64) []byte { return texts[word] }

func wordOf(b []byte) uint64 {
	texts = append(texts, b)
	return uint64(len(texts) - 1)
}
