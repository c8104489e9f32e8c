package main

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

func ftpKeyCommand() *cobra.Command {
	add := &cobra.Command{
		Use:   "add LOGIN [FILE]",
		Short: "Let a public key open an FTP login by SFTP; the key is read from FILE, or from standard input",
		Args:  cobra.RangeArgs(1, 2), RunE: run(addFTPKey),
	}
	add.Flags().String("label", "", "what the key is called; its own comment when not given")
	list := &cobra.Command{Use: "list LOGIN", Short: "List the public keys of an FTP login", Args: cobra.ExactArgs(1), RunE: run(listFTPKeys)}
	remove := &cobra.Command{Use: "remove LOGIN KEY", Short: "Take a public key from an FTP login; KEY is its number or its fingerprint", Args: cobra.ExactArgs(2), RunE: run(removeFTPKey)}
	for _, cmd := range []*cobra.Command{add, list, remove} {
		cmd.Flags().String("account", "", "account that the login belongs to")
	}
	return noun("key", "Public keys of FTP logins, for SFTP", add, list, remove)
}

// ftpKeyView is a public key as scripts read it.
type ftpKeyView struct {
	ID          hosting.FTPKeyID `json:"id"`
	Login       hosting.FTPName  `json:"login"`
	Label       string           `json:"label"`
	Type        string           `json:"type"`
	Fingerprint string           `json:"fingerprint"`
	Created     time.Time        `json:"created_at"`
	LastUsed    *time.Time       `json:"last_used_at"`
}

func viewFTPKey(login hosting.FTPName, k hosting.FTPKey) ftpKeyView {
	return ftpKeyView{ID: k.ID, Login: login, Label: k.Label, Type: k.Kind, Fingerprint: k.Fingerprint, Created: k.CreatedAt, LastUsed: k.LastUsedAt}
}

// maxKeyFile is more than any public key has.
const maxKeyFile = 64 << 10

func addFTPKey(ctx context.Context, v *verb, args []string) error {
	row, err := v.ftp(ctx, args[0])
	if err != nil {
		return err
	}
	in := v.cmd.InOrStdin()
	if len(args) > 1 {
		f, err := os.Open(args[1])
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxKeyFile))
	if err != nil {
		return err
	}
	var errs hosting.Errors
	key, err := hosting.ParsePublicKey(string(text))
	errs.Add(err)
	typed, _ := v.text("label")
	label, err := hosting.ParseLabel("label", typed)
	errs.Add(err)
	if errs.Err() != nil {
		return errs.Err()
	}
	added, err := v.store.AddFTPKey(ctx, v.actor, row.ID, key, label)
	if err != nil {
		return err
	}
	return v.answer(viewFTPKey(row.Login, added), said(ctx, "cli.ftpkey_added", added.Fingerprint, string(row.Login)))
}

func listFTPKeys(ctx context.Context, v *verb, args []string) error {
	row, err := v.ftp(ctx, args[0])
	if err != nil {
		return err
	}
	keys, err := v.store.FTPKeys(ctx, v.scope(hosting.FTPRead), row.ID)
	if err != nil {
		return err
	}
	views := make([]ftpKeyView, len(keys))
	for i, k := range keys {
		views[i] = viewFTPKey(row.Login, k)
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{"", i18n.T(ctx, "cli.fingerprint"), i18n.T(ctx, "cli.label"), i18n.T(ctx, "cli.last_used")}}
		for _, k := range views {
			used := ""
			if k.LastUsed != nil {
				used = k.LastUsed.Format(time.DateOnly)
			}
			lines = append(lines, []string{strconv.FormatUint(uint64(k.ID), 10), k.Fingerprint, k.Label, used})
		}
		return table(w, lines)
	})
}

func removeFTPKey(ctx context.Context, v *verb, args []string) error {
	row, err := v.ftp(ctx, args[0])
	if err != nil {
		return err
	}
	keys, err := v.store.FTPKeys(ctx, v.scope(hosting.FTPRead), row.ID)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if typed := strings.TrimSpace(args[1]); typed != k.Fingerprint && typed != strconv.FormatUint(uint64(k.ID), 10) {
			continue
		}
		if err := v.store.RemoveFTPKey(ctx, v.actor, row.ID, k.ID); err != nil {
			return err
		}
		return v.answer(viewFTPKey(row.Login, k), said(ctx, "cli.ftpkey_removed", k.Fingerprint, string(row.Login)))
	}
	return hosting.Refuse(hosting.NotFound, "key", "ftpkey.not_found")
}
