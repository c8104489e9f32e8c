package ftpd

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/jail"
)

// retrieve is RETR.
func retrieve(s *session, arg string) {
	p, begun := s.path(arg), time.Now()
	size, r, err := driver{}.GetFile(s.context("RETR", arg), p, s.restart)
	if err != nil {
		s.closeData()
		s.refuse(err)
		s.note(hosting.Fetched, p, "", 0, begun, err)
		return
	}
	defer r.Close()
	if s.text && s.restart > 0 {
		s.closeData()
		s.reply(504, restartText)
		return
	}
	what, send := fmt.Sprintf("Sending (%d bytes).", size), func(d *dataConn) error {
		_, err := d.sendFile(r.(*os.File), size)
		return err
	}
	if s.text {
		what, send = "Sending text.", func(d *dataConn) error { return sendText(d, r, size) }
	}
	defer s.doing(hosting.Fetched, p)()
	if ran, err := s.transfer(what, send); ran {
		s.note(hosting.Fetched, p, "", s.moved.Load(), begun, err)
	}
}

// put is STOR, and after REST a resumed STOR.
func put(s *session, arg string) {
	offset := s.restart
	if offset == 0 {
		offset = replace
	}
	s.receive(s.path(arg), offset, "Receiving.")
}

// putUnique is STOU. The name is ours, near the one that the client proposes;
// the reply tells it in the form of RFC 1123, section 4.1.2.9.
func putUnique(s *session, arg string) {
	dir, base := path.Split(s.path(cmp.Or(arg, "upload")))
	suffix := path.Ext(base)
	unique := strings.TrimSuffix(base, suffix) + "-" + strings.ToLower(rand.Text()[:uniqueLength]) + suffix
	s.receive(dir+unique, replace, "FILE: "+unique)
}

// uniqueLength is of a name that nobody will ever have given: five bits each.
const uniqueLength = 16

// appendFile is APPE.
func appendFile(s *session, arg string) { s.receive(s.path(arg), appendTo, "Receiving.") }

func (s *session) receive(p string, offset int64, what string) {
	if s.text && s.restart > 0 {
		s.closeData()
		s.reply(504, restartText)
		return
	}
	begun := time.Now()
	dest, err := s.tree.create(p, offset)
	if err != nil {
		s.closeData()
		s.refuse(err)
		s.note(hosting.Sent, p, "", 0, begun, err)
		return
	}
	defer s.doing(hosting.Sent, p)()
	used := false
	ran, err := s.transfer(what, func(d *dataConn) error {
		used = true
		var r io.Reader = d
		if s.text {
			r = &textReader{r: d}
		}
		_, err := dest.receive(r)
		return err
	})
	if !used {
		dest.discard()
	}
	if ran {
		s.note(hosting.Sent, p, "", s.moved.Load(), begun, err)
	}
}

// listing is what LIST, NLST and STAT show: one file, the entries of a
// directory, or those of its entries whose names match a pattern.
type listing struct {
	dir     string // absolute
	prefix  string // of the names, as the client wrote the directory
	pattern string
	single  *jail.Entry
}

// listingOf finds out what the argument of a listing means. A name that exists
// is never a pattern.
func (s *session) listingOf(verb, arg string) (listing, error) {
	ctx, p := s.context(verb, arg), s.path(arg)
	info, err := driver{}.Stat(ctx, p)
	switch {
	case err == nil && info.IsDir():
		l := listing{dir: p}
		if arg != "" {
			l.prefix = strings.TrimSuffix(arg, "/") + "/"
		}
		return l, nil
	case err == nil || !isPattern(p):
		e, err := s.tree.describe(p)
		e.FileInfo = renamed{e.FileInfo, arg}
		return listing{single: &e}, err
	}
	dir, _ := path.Split(arg)
	l := listing{dir: path.Dir(p), prefix: dir, pattern: path.Base(p)}
	if _, err := path.Match(l.pattern, ""); err != nil {
		return l, fs.ErrNotExist
	}
	info, err = driver{}.Stat(ctx, l.dir)
	if err == nil && !info.IsDir() {
		err = fs.ErrNotExist
	}
	return l, err
}

// sorted is how many entries are held to be sorted; a directory with more is
// listed as it comes.
const sorted = 20000

// each calls fn with every entry of the listing.
func (s *session) each(l listing, opts listOptions, fn func(jail.Entry) error) error {
	if l.single != nil {
		return fn(*l.single)
	}
	var held []jail.Entry
	holding := true
	flush := func() error {
		holding = false
		opts.sort(held)
		for _, e := range held {
			if err := fn(e); err != nil {
				return err
			}
		}
		held = nil
		return nil
	}
	err := driver{}.ListDir(s.context("LIST", ""), l.dir, func(info os.FileInfo) error {
		if l.pattern != "" {
			if ok, err := path.Match(l.pattern, info.Name()); !ok || err != nil {
				return err
			}
		}
		e := info.(jail.Entry)
		if !holding {
			return fn(e)
		}
		if held = append(held, e); len(held) == sorted {
			return flush()
		}
		return nil
	})
	if err == nil && holding {
		err = flush()
	}
	return err
}

// list is LIST.
func list(s *session, arg string) {
	opts, arg := parseList(arg)
	now := time.Now()
	s.sendListing("LIST", arg, opts, func(b []byte, _ listing, e jail.Entry) []byte {
		return listLine(b, e, now)
	})
}

// nameList is NLST: names that other commands take.
func nameList(s *session, arg string) {
	opts, arg := parseList(arg)
	s.sendListing("NLST", arg, opts, func(b []byte, l listing, e jail.Entry) []byte {
		return append(append(append(b, l.prefix...), shown(e.Name())...), "\r\n"...)
	})
}

func (s *session) sendListing(verb, arg string, opts listOptions, line func([]byte, listing, jail.Entry) []byte) {
	l, err := s.listingOf(verb, arg)
	if err != nil {
		s.closeData()
		s.refuse(err)
		return
	}
	defer s.doing(hosting.Listed, s.path(arg))()
	_, _ = s.transfer("Listing.", func(d *dataConn) error {
		w := bufio.NewWriterSize(d, listBuffer)
		var b []byte
		err := s.each(l, opts, func(e jail.Entry) error {
			b = line(b[:0], l, e)
			_, err := w.Write(b)
			return err
		})
		return errors.Join(err, w.Flush())
	})
}

// listBuffer is how much of a listing is sent at a time.
const listBuffer = 32 << 10

// machineList is MLSD.
func machineList(s *session, arg string) {
	p := s.path(arg)
	ctx := s.context("MLSD", arg)
	info, err := driver{}.Stat(ctx, p)
	if err == nil && !info.IsDir() {
		s.closeData()
		s.reply(501, "Not a directory.")
		return
	}
	if err != nil {
		s.closeData()
		s.refuse(err)
		return
	}
	m := s.may(p)
	defer s.doing(hosting.Listed, p)()
	_, _ = s.transfer("Listing.", func(d *dataConn) error {
		w := bufio.NewWriterSize(d, listBuffer)
		var b []byte
		err := driver{}.ListDir(ctx, p, func(info os.FileInfo) error {
			b = append(factsLine(b[:0], info.(jail.Entry), s.facts, m), "\r\n"...)
			_, err := w.Write(b)
			return err
		})
		return errors.Join(err, w.Flush())
	})
}

// machineFile is MLST.
func machineFile(s *session, arg string) {
	p := s.path(arg)
	e, err := s.tree.describe(p)
	if err != nil {
		s.refuse(err)
		return
	}
	e.FileInfo = renamed{e.FileInfo, p}
	s.replyLines(250, "Listing", string(factsLine(nil, e, s.facts, s.may(path.Dir(p)))), "End.")
}

// state is what STAT says of the session.
func (s *session) state(data string) []string {
	kind := "binary"
	if s.text {
		kind = "text"
	}
	return []string{
		"Cancale FTP", "Connected from " + s.peer.Addr().String(), "Logged in as " + string(s.login.Login),
		"TYPE " + kind + ", STRU F, MODE S", data, "End.",
	}
}

// status is STAT: of the session, or a listing over the control connection.
func status(s *session, arg string) {
	opts, p := parseList(arg)
	if p == "" && arg == "" {
		s.replyLines(211, s.state("No data connection")...)
		return
	}
	l, err := s.listingOf("STAT", p)
	if err != nil {
		s.refuse(err)
		return
	}
	now := time.Now()
	w := bufio.NewWriterSize(s, listBuffer)
	code := "212" // of a directory, RFC 959 section 4.2
	if l.single != nil {
		code = "213"
	}
	_, _ = w.WriteString(code + "-Listing\r\n")
	err = s.each(l, opts, func(e jail.Entry) error {
		// A line that begins with a blank is never taken for the last one.
		_, err := w.Write(listLine([]byte(" "), e, now))
		return err
	})
	if err != nil {
		_, _ = w.WriteString(" incomplete\r\n")
	}
	_, _ = w.WriteString(code + " End.\r\n")
	_ = w.Flush()
}
