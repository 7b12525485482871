package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/sdk/client"
)

func (s *session) functionCommand() *cobra.Command {
	return group("function", "Invoke functions and look after their events", s.functionInvoke(), s.functionStatus(), s.deadLetters(), s.replay())
}

func (s *session) functionInvoke() *cobra.Command {
	var data, method, path string
	var headers []string
	var verbose bool
	c := &cobra.Command{
		Use: "invoke NAME", Short: "Send a request to a function and print its answer", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			body, err := s.argument(data)
			if err != nil {
				return err
			}
			h := http.Header{}
			for _, x := range headers {
				k, v, ok := strings.Cut(x, ":")
				if !ok {
					return wrong("--header %q: write Name: value", x)
				}
				h.Add(strings.TrimSpace(k), strings.TrimSpace(v))
			}
			if h.Get("Content-Type") == "" && len(body) > 0 {
				h.Set("Content-Type", "application/json")
			}
			res, err := c.Invoke(cmd.Context(), a[0], method, path, h, bytes.NewReader(body))
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if verbose {
				fmt.Fprintln(s.err, res.Status)
				if err := res.Header.Write(s.err); err != nil {
					return err
				}
			}
			if _, err := io.Copy(s.out, res.Body); err != nil {
				return err
			}
			if res.StatusCode >= 400 {
				return &exit{1, fmt.Errorf("function %q answered %s", a[0], res.Status)}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVarP(&data, "data", "d", "", "the body; @file is that file, @- standard input")
	f.StringVarP(&method, "method", "X", "POST", "the HTTP method")
	f.StringVar(&path, "path", "", "the path below the function, for example /score")
	f.StringArrayVarP(&headers, "header", "H", nil, "a header, Name: value; may be given several times")
	f.BoolVarP(&verbose, "verbose", "v", false, "print status and headers on standard error")
	return c
}

func (s *session) functionStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status [NAME]", Short: "Show what functions do", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			var list []client.Function
			var v any
			if len(a) == 1 {
				f, err := c.Function(cmd.Context(), a[0])
				if err != nil {
					return err
				}
				list, v = []client.Function{f}, f
			} else {
				if list, err = c.Functions(cmd.Context()); err != nil {
					return err
				}
				v = list
			}
			return s.show(v, func(w io.Writer) {
				line(w, "NAME", "STATE", "PLUGIN", "MODEL", "INVOKED", "ERRORS", "INSTANCES", "PENDING", "PROCESSED", "RETRIED", "DEAD", "LAST ERROR")
				for _, f := range list {
					e := f.Event
					if e == nil {
						line(w, f.Name, f.State, f.Plugin, f.Model, f.Invocations, f.InvokeErrors, f.Pool.Live, "", "", "", "", "")
						continue
					}
					line(w, f.Name, f.State, f.Plugin, f.Model, f.Invocations, f.InvokeErrors, f.Pool.Live, e.Pending+e.AckPending, e.Processed, e.Retried, e.Dead, e.LastError)
				}
			})
		},
	}
}

func (s *session) deadLetters() *cobra.Command {
	var from uint64
	var limit int
	c := &cobra.Command{
		Use: "dead-letters NAME", Short: "List events that a function gave up on", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			list, err := c.DeadLetters(cmd.Context(), a[0], from, limit)
			if err != nil {
				return err
			}
			return s.show(list, func(w io.Writer) {
				line(w, "SEQUENCE", "INPUT", "REASON", "ATTEMPTS", "AGE", "ERROR")
				for _, d := range list {
					line(w, d.Sequence, fmt.Sprintf("%s:%d", d.Stream, d.InputSequence), d.Reason, d.Attempts, age(d.Time), d.Error)
				}
			})
		},
	}
	c.Flags().Uint64Var(&from, "from", 0, "the first sequence to list")
	c.Flags().IntVar(&limit, "limit", 0, "at most so many (default: 100)")
	return c
}

func (s *session) replay() *cobra.Command {
	return &cobra.Command{
		Use: "replay NAME SEQUENCE...", Short: "Send dead letters through their function again", Args: args(2, -1),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			type replayed struct {
				Letter   uint64 `json:"letter"`
				Sequence uint64 `json:"sequence"`
			}
			var all []replayed
			for _, text := range a[1:] {
				n, err := strconv.ParseUint(text, 10, 64)
				if err != nil {
					return wrong("%q is not a sequence: `weir function dead-letters %s` lists them", text, a[0])
				}
				at, err := c.Replay(cmd.Context(), a[0], n)
				if err != nil {
					return err
				}
				all = append(all, replayed{n, at})
			}
			return s.show(all, func(w io.Writer) {
				for _, r := range all {
					line(w, "dead letter", r.Letter, "is message", r.Sequence)
				}
			})
		},
	}
}
