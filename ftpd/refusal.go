package ftpd

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"cancale/internal/disk"
	"cancale/internal/jail"
)

// refusals say in a few words why a file operation was refused. The text of
// the error itself is never sent: it may hold a path of the machine.
var refusals = []struct {
	err  error
	code int
	text string
}{
	{errSuspended, 550, "This site is suspended."},
	{errNotReady, 550, "This site is not ready yet, try again in a moment."},
	{errOnlyReads, 550, "This login may only read."},
	{errOnlyAdds, 550, "This login may only add files."},
	{errNoFetch, 550, "This login may not read files."},
	{errTaken, 553, "That name is taken, and this login may only add files."},
	{errTwoSites, 553, "Cannot rename from one site to another."},
	{jail.ErrRoot, 550, "This folder cannot be changed."},
	{jail.ErrNotRegular, 550, "Not a regular file."},
	{jail.ErrBeyondEnd, 554, "Offset beyond the end of the file."},
	{disk.ErrFull, 552, "No room left: delete files, or empty the bin in the panel."},
	{disk.ErrMachineFull, 452, "The server has no room left, try again later."},
	{unix.ENOSPC, 452, "No space left."},
	{unix.EDQUOT, 552, "Quota exceeded."},
	{unix.EFBIG, 552, "File too large."},
	{unix.ENOTEMPTY, 550, "Directory not empty."},
	{unix.ENOTDIR, 550, "Not a directory."},
	{unix.EISDIR, 550, "Is a directory."},
	{unix.ELOOP, 550, "Too many links."},
	{unix.ENAMETOOLONG, 553, "Name too long."},
	{unix.EIO, 451, "Read or write error."},
	{fs.ErrNotExist, 550, "No such file or directory."},
	{fs.ErrExist, 550, "Already exists."},
	{fs.ErrPermission, 550, "Permission denied."},
}

// refusal is the reply to a file operation that failed.
func refusal(err error) (code int, text string) {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.code, r.text
		}
	}
	return 550, "Not possible." // such as a link that leads out of the root
}

func (s *session) refuse(err error) {
	code, text := refusal(err)
	if code == 451 {
		slog.Error("ftp file", slog.Any("error", err))
	}
	s.reply(code, text)
}

// replyTransferError ends a transfer that did not come to its end.
func (s *session) replyTransferError(err error) {
	_, interrupted := errors.AsType[interruptedError](err)
	switch {
	case errors.Is(err, errNoDataTLS):
		s.reply(522, "No TLS on the data connection.")
	case errors.Is(err, errForeign):
		s.reply(522, "The data connection must resume the TLS session.")
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.reply(426, "The data connection stood still for too long.")
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET), errors.Is(err, net.ErrClosed),
		errors.Is(err, errLost), errors.Is(err, unix.ETIMEDOUT):
		s.reply(426, "Data connection closed.")
	case errors.Is(err, io.ErrUnexpectedEOF) && !interrupted:
		s.reply(451, "The file changed during the transfer.")
	case interrupted:
		s.reply(426, "Data connection closed.")
	default:
		s.refuse(err)
	}
}
