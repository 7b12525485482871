package grpcd

import (
	"compress/zlib"
	"crypto/rand"
	"encoding/hex"
	"io"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"

	"github.com/weir-ml/weir/host/errs"
)

var table = map[errs.Kind]codes.Code{
	errs.Internal: codes.Internal, errs.Invalid: codes.InvalidArgument, errs.NotFound: codes.NotFound, errs.Exists: codes.AlreadyExists,
	errs.Conflict: codes.Aborted, errs.Unauthenticated: codes.Unauthenticated, errs.Forbidden: codes.PermissionDenied,
	errs.Exhausted: codes.ResourceExhausted, errs.Unavailable: codes.Unavailable, errs.Timeout: codes.DeadlineExceeded, errs.Unimplemented: codes.Unimplemented,
}

// Code is the gRPC status code of a kind.
func Code(k errs.Kind) codes.Code { return table[k] }

func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// gRPC's codec registry is a global of its library; it is written once, before any server exists.
var registerDeflate = sync.OnceFunc(func() { encoding.RegisterCompressor(deflate{}) })

// deflate is gRPC's "deflate": the zlib format (RFC 1950), as the C core has it.
type deflate struct{}

func (deflate) Name() string { return "deflate" }

func (deflate) Compress(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil }

func (deflate) Decompress(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) }
