package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/cmd/weir/demo"
)

func (s *session) addDemo(root *cobra.Command) {
	var o demo.Options
	c := &cobra.Command{
		Use: "demo", Short: "Run the whole loop on real data and check every figure", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			binary, err := os.Executable()
			if err != nil {
				return err
			}
			o.Binary, o.Out = binary, s.out
			return demo.Run(cmd.Context(), o)
		},
	}
	c.Flags().StringVar(&o.Data, "data", "", "data folder (default: a temporary one, removed at the end)")
	c.Flags().BoolVar(&o.Keep, "keep", false, "leave the host running when all is done")
	root.AddCommand(c)
}
