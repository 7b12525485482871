package kv

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weir-ml/weir/host/errs"
)

// Sentinels that callers branch on. Returned errors wrap them with the bucket, the key and the revisions concerned.
var (
	// ErrStale says that an expectation failed: somebody else was faster. Read again and retry. Its kind is errs.Conflict.
	ErrStale = errs.New(errs.Conflict, "stale revision")
	// ErrExists says that a key which had to be absent is there. Its kind is errs.Exists from Create; from Commit the
	// error is errs.Conflict and matches both ErrExists and ErrStale.
	ErrExists = errs.New(errs.Exists, "key exists already")
	// ErrUnknownOutcome marks a write whose acknowledgement did not arrive: it may or may not be stored. Read before retrying.
	ErrUnknownOutcome = errs.New(errs.Timeout, "outcome unknown")
	// ErrClosed says that the store is closed or closing; the write was not stored.
	ErrClosed = errs.New(errs.Unavailable, "store is closed")
)

// Codes of JetStream's API errors (nats-server, server/errors.json) that have a meaning of their own here.
const (
	codeCreateStore     = 10049
	codeMessageTooLarge = 10054
	codeStreamNotFound  = 10059
	codeSubjectOverlap  = 10065
	codeWrongSequence   = 10071
	codeStoreFailed     = 10077
	codeWrongSequence2  = 10164 // the same refusal where a subject is in flight
	codeBatchDuplicate  = 10201 // a batch holds a message id that is stored already
)

// apiError is the error object of a publish acknowledgement or of an API reply.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return fmt.Sprintf("%s (%d)", e.Description, e.ErrCode) }

func (e *apiError) stale() bool {
	return e.ErrCode == codeWrongSequence || e.ErrCode == codeWrongSequence2
}

// kinded gives an error of the client library its kind. op says what was tried and on what.
func kinded(op string, err error) error {
	if err == nil {
		return nil
	}
	wrapped := fmt.Errorf("%s: %w", op, err)
	var known *errs.Error
	var api *jetstream.APIError
	switch {
	case errors.As(err, &known):
		return errs.With(known.Kind, wrapped)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return errs.With(errs.Timeout, wrapped)
	case errors.Is(err, context.Canceled), errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrNoResponders),
		errors.Is(err, nats.ErrBadSubscription), errors.Is(err, nats.ErrConnectionDraining),
		errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, jetstream.ErrConnectionClosed):
		return errs.With(errs.Unavailable, wrapped)
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrMsgNotFound):
		return errs.With(errs.NotFound, wrapped)
	case errors.As(err, &api):
		switch {
		case api.ErrorCode == 10023, api.ErrorCode == 10047, api.ErrorCode == 10026: // resources, storage, consumers used up
			return errs.With(errs.Exhausted, wrapped)
		case api.Code >= 400 && api.Code < 500:
			return errs.With(errs.Invalid, wrapped)
		}
	}
	return errs.With(errs.Internal, wrapped)
}

// diskError gives an error of the file system its kind: a full disk is the operator's to mend.
func diskError(op string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errs.New(errs.Exhausted, "%s: the disk is full: %w", op, err)
	}
	return errs.New(errs.Unavailable, "%s: %w", op, err)
}
