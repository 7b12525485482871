package main

import (
	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/host/app"
)

// trialCommand is what `weir up` starts for each new model: a process that the model may end without harm.
func (s *session) trialCommand() *cobra.Command {
	var library string
	c := &cobra.Command{
		Use: "model-trial", Short: "Load and run the model on standard input once, on zeros", Hidden: true, Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return app.TryModel(cmd.Context(), library, s.in, s.out) },
	}
	c.Flags().StringVar(&library, "library", "", "ONNX Runtime's shared library")
	return c
}
