package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/host/app"
	"github.com/weir-ml/weir/host/telemetry"
)

func (s *session) upCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "up", Short: "Run weir", Args: args(0, 0),
		Long: "Run weir until SIGTERM or SIGINT, which drain it: new work is refused, requests in flight end. A second signal kills it.\n" +
			"When the ports answer, one JSON line with their addresses goes to standard output; the log goes to standard error.",
	}
	load := configFlags(c)
	c.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		cfg, _, err := load()
		if err != nil {
			return err
		}
		log, err := telemetry.Logger(s.err, cfg.Level(), cfg.LogFormat)
		if err != nil {
			return err
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		a, err := app.New(cmd.Context(), cfg, app.Options{Version: version, ModelTrial: []string{self, "model-trial", "--library", cfg.ONNXRuntimeLib}}, log)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.Close()) }()
		return a.Run(cmd.Context(), func(r app.Ready) {
			raw, err := json.Marshal(r)
			if err != nil {
				log.Error("the ready line cannot be written", "error", err)
				return
			}
			fmt.Fprintf(s.out, "%s\n", raw)
		})
	}
	return c
}
