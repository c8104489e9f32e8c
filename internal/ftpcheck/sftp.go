package ftpcheck

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"cancale/internal/hosting"
)

// sftpTime is how long everything by SFTP may take together.
const sftpTime = 3 * stepTime

// errHostKey says that what answers is not our own daemon.
var errHostKey = errors.New("ftpcheck: another host key")

// sftp is one step for the whole of SFTP: its port as members reach it, and
// then, at our own daemon, what they do there.
func (c *checker) sftp(t Target, a Account) {
	if t.SFTPPort == 0 {
		return
	}
	port := strconv.Itoa(t.SFTPPort)
	if err := greetsSSH(c.ctx, net.JoinHostPort(t.Host, port)); err != nil {
		c.note("sftp", Failed, "ftpcheck.sftp_port_failed", port)
		return
	}
	switch {
	case a.Refused != nil:
		c.note("sftp", Skipped, "ftpcheck.sftp_not_tried", port)
		return
	case a.Password == "":
		c.note("sftp", OK, "ftpcheck.sftp_port_ok", port)
		return
	}
	conn, client, err := sftpIn(c.ctx, t, a)
	switch {
	case errors.Is(err, errHostKey):
		c.note("sftp", Failed, "ftpcheck.sftp_other_key")
		return
	case err != nil:
		c.note("sftp", Failed, "ftpcheck.sftp_login_failed")
		return
	}
	defer conn.Close()
	defer client.Close()
	infos, err := client.ReadDir(".")
	if err != nil {
		c.note("sftp", Failed, "ftpcheck.sftp_list_failed", sftpAnswer(err))
		return
	}
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name()
	}
	if !a.Rights.Changes() {
		c.note("sftp", OK, "ftpcheck.sftp_ok_list", port)
		return
	}
	file := trial(names)
	err = sftpPut(client, file)
	if errors.Is(err, fs.ErrNotExist) && elsewhere(file, names) { // the sites of an association: one of them
		file = names[0] + "/www/" + file
		err = sftpPut(client, file)
	}
	if err != nil {
		c.note("sftp", Failed, "ftpcheck.upload_failed", sftpAnswer(err))
		return
	}
	if err := client.Remove(file); err != nil {
		c.note("sftp", Warn, "ftpcheck.upload_left", file)
		return
	}
	c.note("sftp", OK, "ftpcheck.sftp_ok", port)
}

// greetsSSH waits for what an SSH server says first.
func greetsSSH(ctx context.Context, address string) error {
	conn, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	const greeting = "SSH-2.0-"
	said := make([]byte, len(greeting))
	if _, err := io.ReadFull(conn, said); err != nil {
		return err
	}
	if string(said) != greeting {
		return errOther
	}
	return nil
}

// sftpIn signs in to our own daemon, which proves itself with one of its keys
// before it is told the password.
func sftpIn(ctx context.Context, t Target, a Account) (net.Conn, *sftp.Client, error) {
	conn, err := dial(ctx, t.LocalSFTP)
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(sftpTime))
	secured, channels, requests, err := ssh.NewClientConn(conn, t.LocalSFTP, &ssh.ClientConfig{
		User: a.Login, Auth: []ssh.AuthMethod{ssh.Password(a.Password)},
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if !slices.Contains(t.HostKeys, ssh.FingerprintSHA256(key)) {
				return errHostKey
			}
			return nil
		},
	})
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	client, err := sftp.NewClient(ssh.NewClient(secured, channels, requests))
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, client, nil
}

func sftpPut(client *sftp.Client, name string) error {
	f, err := client.Create(name)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, trialText)
	return errors.Join(err, f.Close())
}

// sftpAnswer is what the daemon said, as far as the library passes it on.
func sftpAnswer(err error) string {
	for _, plain := range []error{fs.ErrNotExist, fs.ErrPermission} {
		if errors.Is(err, plain) {
			return plain.Error()
		}
	}
	if e, ok := errors.AsType[*sftp.StatusError](err); ok {
		_, text, _ := strings.Cut(e.Error(), `"`)
		text, _, _ = strings.Cut(text, `"`)
		return hosting.Visible(text, 200)
	}
	return "-"
}
