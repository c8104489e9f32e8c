package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"cancale/internal/config"
	"cancale/internal/driver/apache"
	"cancale/internal/host"
	"cancale/internal/supervise"
)

func webCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "web",
		Short:  "Become Apache, in a view of the file system that holds only what it serves",
		Hidden: true, // the supervisor starts it
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := layout(cmd)
			if err != nil {
				return err
			}
			return becomeApache(l)
		},
	}
}

// modeSpool lets Apache's processes make files that nobody can list.
const modeSpool fs.FileMode = 0o300

// becomeApache starts Apache where a link of a member's leads to nothing of the
// machine. Whatever Apache is to read, or to write, has to be named here.
func becomeApache(l config.Layout) error {
	if err := os.Mkdir(l.ApacheTemp(), modeSpool); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := errors.Join(os.Chown(l.ApacheTemp(), config.ApacheUID, config.ApacheUID), os.Chmod(l.ApacheTemp(), modeSpool)); err != nil {
		return err
	}
	server := apache.New(host.New(l, nil), apache.Config{})
	view := supervise.View{
		Programs: append(server.Modules(), supervise.Executable), // it starts `cancale logs`
		Read:     []string{"/etc/mime.types", "/etc/localtime", l.Apache(), l.Pages(), l.Homes(), l.Sockets(), l.Passwords()},
		Write:    []string{l.Logs(), l.ApacheRun()},
		Temp:     l.ApacheTemp(),
		Memory:   l.Memory(),
		Users:    []supervise.User{{Name: "root", ID: 0}, {Name: "www-data", ID: config.ApacheUID}},
	}
	return view.Exec(server.Program(), server.Arguments(), os.Environ())
}
