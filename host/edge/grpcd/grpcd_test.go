package grpcd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	rpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weir-ml/weir/host/errs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type service struct{}

// desc is a hand-written service: fail(kind name) and echo(bytes).
var desc = grpc.ServiceDesc{ServiceName: "weir.test.T", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{
	{MethodName: "Fail", Handler: func(_ any, ctx context.Context, dec func(any) error, ic grpc.UnaryServerInterceptor) (any, error) {
		var in wrapperspb.StringValue
		if err := dec(&in); err != nil {
			return nil, err
		}
		return ic(ctx, &in, &grpc.UnaryServerInfo{}, func(context.Context, any) (any, error) {
			switch in.Value {
			case "panic":
				panic("the secret cause")
			case "plain":
				return nil, errors.New("the secret cause")
			}
			return nil, errs.New(errs.ParseKind(in.Value), "said so")
		})
	}},
	{MethodName: "Echo", Handler: func(_ any, ctx context.Context, dec func(any) error, ic grpc.UnaryServerInterceptor) (any, error) {
		var in wrapperspb.BytesValue
		if err := dec(&in); err != nil {
			return nil, err
		}
		return ic(ctx, &in, &grpc.UnaryServerInfo{}, func(context.Context, any) (any, error) { return &in, nil })
	}},
}}

func start(t *testing.T, log io.Writer) (*Server, *grpc.ClientConn) {
	t.Helper()
	s := New(Options{Logger: slog.New(slog.NewTextHandler(log, nil)), DrainTimeout: 5 * time.Second})
	s.Registrar().RegisterService(&desc, service{})
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<28), grpc.MaxCallSendMsgSize(1<<28)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(c.Close(), <-done, s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return s, c
}

func TestHealthAndReflection(t *testing.T) {
	s, c := start(t, io.Discard)
	h := healthpb.NewHealthClient(c)
	for _, ready := range []bool{false, true, false} {
		s.SetReady(ready)
		r, err := h.Check(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil || (r.Status == healthpb.HealthCheckResponse_SERVING) != ready {
			t.Errorf("ready %v: %v %v", ready, r, err)
		}
	}
	st, err := rpb.NewServerReflectionClient(c).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Send(&rpb.ServerReflectionRequest{MessageRequest: &rpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	r, err := st.Recv()
	if err != nil || !strings.Contains(r.String(), "grpc.health.v1.Health") {
		t.Errorf("%v %v", r, err)
	}
	if err := st.CloseSend(); err != nil {
		t.Error(err)
	}
	if _, err := st.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	var log bytes.Buffer
	_, c := start(t, &log)
	for _, k := range append([]errs.Kind{}, errs.Kinds...) {
		err := c.Invoke(t.Context(), "/weir.test.T/Fail", wrapperspb.String(k.String()), &emptypb.Empty{})
		if status.Code(err) != Code(k) {
			t.Errorf("%v: %v", k, err)
		}
		if k != errs.Internal && status.Convert(err).Message() != "said so" {
			t.Errorf("%v: message %q", k, err)
		}
	}
	for _, text := range []string{"panic", "plain"} {
		err := c.Invoke(t.Context(), "/weir.test.T/Fail", wrapperspb.String(text), &emptypb.Empty{})
		msg := status.Convert(err).Message()
		id := msg[strings.LastIndexByte(msg, ' ')+1:]
		if status.Code(err) != codes.Internal || strings.Contains(msg, "secret") || !strings.Contains(log.String(), id) {
			t.Errorf("%s: %v\n%s", text, err, log.String())
		}
	}
}

func TestLargeAndCompressedMessages(t *testing.T) {
	_, c := start(t, io.Discard)
	big := bytes.Repeat([]byte("weir"), 80<<20/4)
	for name, opts := range map[string][]grpc.CallOption{"plain": nil, gzip.Name: {grpc.UseCompressor(gzip.Name)}, "deflate": {grpc.UseCompressor("deflate")}} {
		in := big
		if name != "plain" {
			in = big[:1<<20]
		}
		var out wrapperspb.BytesValue
		if err := c.Invoke(t.Context(), "/weir.test.T/Echo", wrapperspb.Bytes(in), &out, opts...); err != nil || !bytes.Equal(out.Value, in) {
			t.Errorf("%s: %d bytes back, %v", name, len(out.Value), err)
		}
	}
}

func TestDeflateRefusesNonsense(t *testing.T) {
	if _, err := (deflate{}).Decompress(strings.NewReader("nonsense")); err == nil {
		t.Error("took nonsense")
	}
}
