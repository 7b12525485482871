package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/host/config"
)

// configFlags adds the flags of every knob that has one, and returns what reads them all with file and environment.
func configFlags(c *cobra.Command) func() (config.Config, config.Origins, error) {
	f := c.Flags()
	file := f.String("config", "", "configuration file, YAML or JSON")
	for _, k := range config.Knobs() {
		if k.Flag == "" {
			continue
		}
		switch k.Type {
		case "list":
			f.StringArray(k.Flag, nil, k.Doc)
		case "boolean":
			f.Bool(k.Flag, k.Default == "true", k.Doc)
		default:
			f.String(k.Flag, k.Default, k.Doc)
		}
	}
	return func() (config.Config, config.Origins, error) {
		given := map[string][]string{}
		for _, k := range config.Knobs() {
			if k.Flag == "" || !f.Changed(k.Flag) {
				continue
			}
			v := f.Lookup(k.Flag).Value
			if list, ok := v.(interface{ GetSlice() []string }); ok {
				given[k.Key] = list.GetSlice()
			} else {
				given[k.Key] = []string{v.String()}
			}
		}
		return config.Load(config.Sources{File: *file, Env: os.Environ(), Flags: given})
	}
}

func (s *session) configCommand() *cobra.Command {
	var dir string
	reference := &cobra.Command{
		Use: "reference", Short: "Print the page about every knob, or write it with its JSON Schema", Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				_, err := s.out.Write(config.Reference())
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, "config.md"), config.Reference(), 0o644); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "config.schema.json"), config.Schema(), 0o644)
		},
	}
	reference.Flags().StringVar(&dir, "dir", "", "write config.md and config.schema.json into this folder")

	check := &cobra.Command{Use: "check", Short: "Check the configuration that `up` would run with", Args: args(0, 0)}
	load := configFlags(check)
	check.RunE = func(*cobra.Command, []string) error {
		if _, _, err := load(); err != nil {
			return err
		}
		_, err := fmt.Fprintln(s.out, "the configuration is valid")
		return err
	}

	show := &cobra.Command{Use: "show", Short: "Print the configuration that `up` would run with, and where each value comes from", Args: args(0, 0)}
	loadShow := configFlags(show)
	show.RunE = func(*cobra.Command, []string) error {
		c, from, err := loadShow()
		if err != nil {
			return err
		}
		text, err := c.YAML(from)
		if err != nil {
			return err
		}
		_, err = s.out.Write(text)
		return err
	}
	return group("config", "Configuration of `weir up`", reference, check, show)
}

func (s *session) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			v := map[string]string{"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
			if b, ok := debug.ReadBuildInfo(); ok {
				for _, x := range b.Settings {
					if x.Key == "vcs.revision" {
						v["revision"] = x.Value
					}
				}
			}
			return s.show(v, func(w io.Writer) {
				line(w, "weir", v["version"])
				line(w, "go", v["go"])
				line(w, "platform", v["platform"])
			})
		},
	}
}
