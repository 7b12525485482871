package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/sdk/client"
)

func (s *session) eventCommand() *cobra.Command {
	return group("event", "Publish and read events", s.eventPublish(), s.eventRead(), s.streamList())
}

func (s *session) eventPublish() *cobra.Command {
	var data, lines, id string
	var headers []string
	c := &cobra.Command{
		Use: "publish SUBJECT --data JSON | --lines FILE", Short: "Store events; the answer comes when all are durable", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, a []string) error {
			if (data == "") == (lines == "") {
				return wrong("give either --data or --lines")
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			var p client.Published
			if lines != "" {
				if id != "" || len(headers) > 0 {
					return wrong("--id and --header have no use with --lines")
				}
				r, done, err := s.source(lines)
				if err != nil {
					return err
				}
				defer done()
				if p, err = c.PublishLines(cmd.Context(), a[0], r); err != nil {
					return err
				}
			} else {
				body, err := s.argument(data)
				if err != nil {
					return err
				}
				h := map[string]string{}
				for _, x := range headers {
					k, v, ok := strings.Cut(x, ":")
					if !ok {
						return wrong("--header %q: write Name: value", x)
					}
					h[strings.TrimSpace(k)] = strings.TrimSpace(v)
				}
				if p, err = c.Publish(cmd.Context(), a[0], body, id, h); err != nil {
					return err
				}
			}
			return s.show(p, func(w io.Writer) {
				n := len(p.Sequences)
				if n == 1 {
					fmt.Fprintf(w, "%s: sequence %d\n", p.Stream, p.Sequences[0])
				} else if n > 0 {
					fmt.Fprintf(w, "%s: %d events, sequences %d to %d\n", p.Stream, n, p.Sequences[0], p.Sequences[n-1])
				}
			})
		},
	}
	f := c.Flags()
	f.StringVarP(&data, "data", "d", "", "the payload; @file is that file, @- standard input")
	f.StringVar(&lines, "lines", "", "a file with an event a line (JSON); - is standard input")
	f.StringVar(&id, "id", "", "store the event once under this id, however often it is sent")
	f.StringArrayVarP(&headers, "header", "H", nil, "a header of the event, Name: value; may be given several times")
	return c
}

func (s *session) eventRead() *cobra.Command {
	var after uint64
	var limit int
	var wait time.Duration
	var follow bool
	c := &cobra.Command{
		Use: "read SUBJECT", Short: "Print stored events of a subject (wildcards allowed)", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			if !follow {
				events, err := c.Events(cmd.Context(), a[0], after, limit, wait)
				if err != nil {
					return err
				}
				return s.show(events, func(w io.Writer) { s.printEvents(w, events) })
			}
			for cmd.Context().Err() == nil {
				events, err := c.Events(cmd.Context(), a[0], after, limit, 30*time.Second)
				if err != nil {
					if cmd.Context().Err() != nil {
						return nil
					}
					return err
				}
				for _, e := range events {
					if err := json.NewEncoder(s.out).Encode(e); err != nil {
						return err
					}
					after = e.Sequence
				}
			}
			return nil
		},
	}
	f := c.Flags()
	f.Uint64Var(&after, "after", 0, "the sequence after which to begin")
	f.IntVar(&limit, "limit", 0, "at most so many (default: 100)")
	f.DurationVar(&wait, "wait", 0, "time to wait for a first event, for example 2s")
	f.BoolVar(&follow, "follow", false, "go on as events come, one JSON document a line")
	return c
}

func (s *session) printEvents(w io.Writer, events []client.Event) {
	line(w, "SEQUENCE", "SUBJECT", "TIME", "DATA")
	for _, e := range events {
		text := string(e.Data)
		if e.Data == nil {
			text = fmt.Sprintf("%q", e.DataBase64)
		}
		line(w, e.Sequence, e.Subject, e.Time.Format(time.RFC3339), text)
	}
}

func (s *session) streamList() *cobra.Command {
	return &cobra.Command{
		Use: "streams", Short: "List streams", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			list, err := c.Streams(cmd.Context())
			if err != nil {
				return err
			}
			return s.show(list, func(w io.Writer) {
				line(w, "NAME", "MESSAGES", "BYTES", "FIRST", "LAST", "AGE", "SUBJECTS")
				for _, x := range list {
					line(w, x.Name, x.Messages, x.Bytes, x.FirstSeq, x.LastSeq, age(x.Created), strings.Join(x.Subjects, ", "))
				}
			})
		},
	}
}
