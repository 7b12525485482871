package rest

import (
	"strconv"

	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// answer writes a domain call's result.
func answer[T any](c *httpd.Call, status int, v T, err error) error {
	if err != nil {
		return err
	}
	return c.JSON(status, v)
}

// decode reads the whole body as one JSON document; unknown keys are errors.
func decode[T any](c *httpd.Call) (T, error) {
	var v T
	raw, err := c.Body()
	if err != nil {
		return v, err
	}
	if err := schema.Strict(raw, &v); err != nil {
		return v, errs.New(errs.Invalid, "body: %w", err)
	}
	return v, nil
}

// number reads a query key as a whole number from 0 on; absent: def.
func number(c *httpd.Call, key string, def uint64) (uint64, error) {
	text := c.Query(key)
	if text == "" {
		return def, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, errs.New(errs.Invalid, "query %s: %q is not a whole number from 0 on", key, text)
	}
	return n, nil
}

// limit reads the query key limit, 1 to most.
func limit(c *httpd.Call, def, most uint64) (int, error) {
	n, err := number(c, "limit", def)
	if err == nil && (n < 1 || n > most) {
		err = errs.New(errs.Invalid, "query limit: want 1 to %d", most)
	}
	return int(n), err
}

func flag(c *httpd.Call, key string) (bool, error) {
	text := c.Query(key)
	if text == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, errs.New(errs.Invalid, "query %s: %q is neither true nor false", key, text)
	}
	return b, nil
}

// two reads two path parameters.
func two(c *httpd.Call, a, b string) (x, y string, err error) {
	if x, err = c.Param(a); err == nil {
		y, err = c.Param(b)
	}
	return x, y, err
}
