package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"github.com/weir-ml/weir/host/errs"
)

// statuses is the table of weir's own protocols.
var statuses = map[errs.Kind]int{
	errs.Internal: 500, errs.Invalid: 400, errs.NotFound: 404, errs.Exists: 409, errs.Conflict: 409, errs.Unauthenticated: 401,
	errs.Forbidden: 403, errs.Exhausted: 429, errs.Unavailable: 503, errs.Timeout: 504, errs.Unimplemented: 501,
}

// Status is the HTTP status of a kind.
func Status(k errs.Kind) int { return statuses[k] }

// Failure is an error as a client may see it.
type Failure struct {
	Status  int
	Kind    errs.Kind
	Message string
	ID      string // of the log line with the cause; only for errs.Internal
}

// Body is the JSON body of a failure: {"error":{"kind":…,"message":…,"id":…}}.
func (f Failure) Body() []byte {
	b, err := json.Marshal(ErrorBody{ErrorDetail{Kind: f.Kind.String(), Message: f.Message, ID: f.ID}})
	if err != nil {
		panic(err) // texts only
	}
	return b
}

// ErrorBody is the body of every failed request of weir's own protocols.
type ErrorBody struct {
	Error ErrorDetail `json:"error"`
}

// ErrorDetail says what went wrong.
type ErrorDetail struct {
	Kind    string `json:"kind" jsonschema:"description=What a caller can do about it"`
	Message string `json:"message"`
	ID      string `json:"id,omitempty" jsonschema:"description=Only of internal errors: the log has the cause under this id"`
}

// statusError carries a status that the kind alone does not say: 405, 413, 431.
type statusError struct {
	error
	status int
}

func (e *statusError) Unwrap() error { return e.error }

// WithStatus gives err a status other than its kind's.
func WithStatus(status int, err error) error { return &statusError{err, status} }

// fail turns an error into what the client sees. Causes of internal errors stay behind: the caller logs them under id.
func fail(err error, id string) Failure {
	var fe *fiber.Error
	if errors.As(err, &fe) {
		err = fiberError(fe)
	}
	k := errs.KindOf(err)
	f := Failure{Status: Status(k), Kind: k, Message: err.Error()}
	var se *statusError
	if errors.As(err, &se) {
		f.Status = se.status
	}
	if k == errs.Internal {
		f.Message, f.ID = fmt.Sprintf("internal error: the log has its cause under id %s", id), id
	} else if errors.Is(err, context.DeadlineExceeded) {
		f.Message = "the request took longer than it may: " + f.Message
	}
	return f
}

// fiberError gives the router's and the parser's own errors a kind.
func fiberError(e *fiber.Error) error {
	switch e.Code {
	case 404:
		return errs.New(errs.NotFound, "no such path: /openapi.json lists what there is")
	case 405:
		return WithStatus(405, errs.New(errs.Invalid, "this path does not take this method"))
	case 413:
		return WithStatus(413, errs.New(errs.Exhausted, "the request is too large"))
	case 431:
		return WithStatus(431, errs.New(errs.Exhausted, "the request's headers are too large: at most 64 KiB"))
	case 408:
		return WithStatus(408, errs.New(errs.Timeout, "the request did not arrive in time"))
	}
	if e.Code >= 400 && e.Code < 500 {
		return WithStatus(e.Code, errs.New(errs.Invalid, "%s", e.Message))
	}
	return e
}
