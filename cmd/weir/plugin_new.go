package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/sdk/scaffold"
)

func (s *session) pluginNew() *cobra.Command {
	var o scaffold.Options
	var dir string
	c := &cobra.Command{
		Use: "new NAME --lang LANGUAGE --world WORLD", Short: "Begin a plugin: a folder that builds and passes its tests", Args: args(1, 1),
		Long: "Begin a plugin: a folder with a small working example, its parameters, test vectors, a README, and the SDK of the language, so\n" +
			"that nothing but the compiler is needed to build it. Languages: " + strings.Join(scaffold.Languages(), ", ") + ". Worlds: " + strings.Join(scaffold.Worlds(), ", ") + ".",
		RunE: func(cmd *cobra.Command, a []string) error {
			o.Name = a[0]
			if dir == "" {
				dir = o.Name
			}
			switch {
			case o.Language == "":
				return wrong("--lang is missing: %s", strings.Join(scaffold.Languages(), ", "))
			case o.World == "":
				return wrong("--world is missing: %s", strings.Join(scaffold.Worlds(), ", "))
			}
			files, err := scaffold.Write(dir, o)
			if err != nil {
				return &usage{err}
			}
			made := struct {
				Dir   string   `json:"dir"`
				Files []string `json:"files"`
			}{dir, files}
			return s.show(made, func(w io.Writer) {
				for _, f := range files {
					fmt.Fprintf(w, "%s/%s\n", dir, f)
				}
				fmt.Fprintf(w, "\nNext: cd %s && weir plugin test\n", dir)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&o.Language, "lang", "", strings.Join(scaffold.Languages(), ", "))
	f.StringVar(&o.World, "world", "", strings.Join(scaffold.Worlds(), ", "))
	f.StringVar(&dir, "dir", "", "folder to make (default: the name)")
	return c
}
