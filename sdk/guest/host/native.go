//go:build !wasip1

package host

import "github.com/weir-ml/weir/sdk/abi"

// There is no host: every call fails.

func reply() []byte { return []byte("there is no host outside a module") }

func callLog(abi.LogLevel, string) abi.Status { return abi.StatusFailed }
func callClock(*int64) abi.Status             { return abi.StatusFailed }
func callRandom([]byte) abi.Status            { return abi.StatusFailed }
func callKVGet(string) abi.Status             { return abi.StatusFailed }
func callKVPut(string, []byte) abi.Status     { return abi.StatusFailed }
func callKVDelete(string) abi.Status          { return abi.StatusFailed }
func callFeatures([]byte) abi.Status          { return abi.StatusFailed }
func callInfer([]byte) abi.Status             { return abi.StatusFailed }
func callHTTP([]byte) abi.Status              { return abi.StatusFailed }
