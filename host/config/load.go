package config

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/weir-ml/weir/host/errs"
)

// Sources are where a configuration comes from, weakest first.
type Sources struct {
	File  string              // path of a YAML or JSON file; "" = none
	Env   []string            // KEY=value, as os.Environ; WEIR_<KEY> sets key, other variables are ignored
	Flags map[string][]string // values of the flags that were given, by key
}

// Origins says for each key where its value comes from: "default", "file", the variable's name or the flag's.
type Origins map[string]string

// Load reads all sources and validates the result. Errors are errs.Invalid (the file's with line and column) or, for a file
// that cannot be read, errs.NotFound.
func Load(s Sources) (Config, Origins, error) {
	c := Default()
	from := Origins{}
	for _, k := range Knobs() {
		from[k.Key] = "default"
	}
	if s.File != "" {
		raw, err := os.ReadFile(s.File)
		if err != nil {
			return c, nil, errs.New(errs.NotFound, "read configuration: %w", err)
		}
		keys, err := Parse(raw, &c)
		if err != nil {
			return c, nil, errs.New(errs.Invalid, "configuration file %s: %w", s.File, err)
		}
		for _, k := range keys {
			from[k] = "file"
		}
	}
	env := map[string]string{}
	for _, kv := range s.Env {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	v := reflect.ValueOf(&c).Elem()
	for _, k := range Knobs() {
		if text, ok := env[k.Env]; ok {
			parts := []string{text}
			if k.Type == "list" {
				parts = splitList(text, k.separator)
			}
			if err := set(v.Field(k.index), parts); err != nil {
				return c, nil, errs.New(errs.Invalid, "environment variable %s: %w", k.Env, err)
			}
			from[k.Key] = k.Env
		}
		if parts, ok := s.Flags[k.Key]; ok {
			if err := set(v.Field(k.index), parts); err != nil {
				return c, nil, errs.New(errs.Invalid, "flag --%s: %w", k.Flag, err)
			}
			from[k.Key] = "--" + k.Flag
		}
	}
	return c, from, c.Validate()
}

func splitList(s, separator string) []string {
	var out []string
	for p := range strings.SplitSeq(s, separator) {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// Parse reads one YAML (or JSON) document over c, strictly, and lists the keys it sets. c is valid to use only without an error.
func Parse(raw []byte, c *Config) (keys []string, err error) {
	defer func() {
		if p := recover(); p != nil { // goccy/go-yaml does on some documents with tags and aliases
			keys, err = nil, fmt.Errorf("the document does not read as YAML (%v)", p)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict())
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(yaml.FormatError(err, false, true))
	}
	var more any
	if err := d.Decode(&more); err == nil && more != nil {
		return nil, errors.New("more than one document")
	}
	var set map[string]any
	if err := yaml.Unmarshal(raw, &set); err != nil {
		return nil, errors.New(yaml.FormatError(err, false, true))
	}
	for k := range set {
		keys = append(keys, k)
	}
	return keys, nil
}

func set(v reflect.Value, parts []string) error {
	if v.Kind() == reflect.Slice {
		v.Set(reflect.ValueOf(append([]string(nil), parts...)))
		return nil
	}
	text := parts[len(parts)-1]
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errs.New(errs.Invalid, "%q is neither true nor false", text)
		}
		v.SetBool(b)
	default:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return errs.New(errs.Invalid, "%q is not a whole number", text)
		}
		v.SetInt(n)
	}
	return nil
}

// YAML writes the configuration, each key with the place it comes from. There is no secret among the knobs so far.
func (c Config) YAML(from Origins) ([]byte, error) {
	notes := yaml.CommentMap{}
	for k, o := range from {
		notes["$."+k] = []*yaml.Comment{yaml.LineComment(" " + o)}
	}
	return yaml.MarshalWithOptions(c, yaml.WithComment(notes))
}
