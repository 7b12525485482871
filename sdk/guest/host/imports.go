//go:build wasip1

package host

import (
	"unsafe"

	"github.com/weir-ml/weir/sdk/abi"
)

//go:wasmimport weir:host log
func hostLog(level uint32, p unsafe.Pointer, size uint32) uint32

//go:wasmimport weir:host clock
func hostClock(p unsafe.Pointer) uint32

//go:wasmimport weir:host random
func hostRandom(p unsafe.Pointer, size uint32) uint32

//go:wasmimport weir:host kv_get
func hostKVGet(key unsafe.Pointer, keySize uint32) uint32

//go:wasmimport weir:host kv_put
func hostKVPut(key unsafe.Pointer, keySize uint32, value unsafe.Pointer, size uint32) uint32

//go:wasmimport weir:host kv_delete
func hostKVDelete(key unsafe.Pointer, keySize uint32) uint32

//go:wasmimport weir:host features_read
func hostFeaturesRead(p unsafe.Pointer, size uint32) uint32

//go:wasmimport weir:host model_infer
func hostModelInfer(p unsafe.Pointer, size uint32) uint32

//go:wasmimport weir:host http_request
func hostHTTPRequest(p unsafe.Pointer, size uint32) uint32

//go:wasmimport weir:host reply_size
func hostReplySize() uint32

//go:wasmimport weir:host reply_read
func hostReplyRead(p unsafe.Pointer)

func bytesOf(s string) (p unsafe.Pointer, size uint32) {
	return unsafe.Pointer(unsafe.StringData(s)), uint32(len(s))
}

func data(b []byte) (p unsafe.Pointer, size uint32) {
	return unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))
}

func reply() []byte {
	b := make([]byte, hostReplySize())
	if len(b) > 0 {
		hostReplyRead(unsafe.Pointer(&b[0]))
	}
	return b
}

func callLog(level abi.LogLevel, s string) abi.Status {
	p, n := bytesOf(s)
	return abi.Status(hostLog(uint32(level), p, n))
}

func callClock(microseconds *int64) abi.Status {
	return abi.Status(hostClock(unsafe.Pointer(microseconds)))
}

func callRandom(b []byte) abi.Status { return abi.Status(hostRandom(data(b))) }

func callKVGet(key string) abi.Status { return abi.Status(hostKVGet(bytesOf(key))) }

func callKVPut(key string, value []byte) abi.Status {
	k, kn := bytesOf(key)
	v, vn := data(value)
	return abi.Status(hostKVPut(k, kn, v, vn))
}

func callKVDelete(key string) abi.Status { return abi.Status(hostKVDelete(bytesOf(key))) }

func callFeatures(doc []byte) abi.Status { return abi.Status(hostFeaturesRead(data(doc))) }

func callInfer(doc []byte) abi.Status { return abi.Status(hostModelInfer(data(doc))) }

func callHTTP(doc []byte) abi.Status { return abi.Status(hostHTTPRequest(data(doc))) }
