package cli

import "github.com/urfave/cli/v2"

func monitorCommand(s *session) *cli.Command {
	return &cli.Command{Name: "monitor", Usage: "watch the model in use", Subcommands: []*cli.Command{healthMonitor(s), allMonitors(s), alarmsCommand(s), silenceCommand(s), unsilenceCommand(s)}}
}
