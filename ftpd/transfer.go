package ftpd

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"cancale/internal/jail"
)

// retrieve is RETR.
func retrieve(s *session, arg string) {
	p := s.path(arg)
	size, r, err := driver{}.GetFile(s.context("RETR", arg), p, s.restart)
	if err != nil {
		s.closeData()
		s.refuse(err)
		return
	}
	defer r.Close()
	s.transfer(fmt.Sprintf("Sending %d bytes.", size), func(d *dataConn) error {
		_, err := d.sendFile(r.(*os.File), size)
		return err
	})
}

// put is STOR, and after REST a resumed STOR.
func put(s *session, arg string) {
	offset := s.restart
	if offset == 0 {
		offset = replace
	}
	s.receive("STOR", arg, offset)
}

// appendFile is APPE.
func appendFile(s *session, arg string) { s.receive("APPE", arg, appendTo) }

func (s *session) receive(verb, arg string, offset int64) {
	dest, err := create(s.context(verb, arg), s.path(arg), offset)
	if err != nil {
		s.closeData()
		s.refuse(err)
		return
	}
	used := false
	s.transfer("Receiving.", func(d *dataConn) error {
		used = true
		_, err := dest.receive(d)
		return err
	})
	if !used {
		dest.discard()
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
		e, err := driver{}.describe(ctx, p)
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
	s.transfer("Listing.", func(d *dataConn) error {
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
	m := s.may(ctx, p)
	s.transfer("Listing.", func(d *dataConn) error {
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
	ctx := s.context("MLST", arg)
	e, err := driver{}.describe(ctx, p)
	if err != nil {
		s.refuse(err)
		return
	}
	e.FileInfo = renamed{e.FileInfo, p}
	s.replyLines(250, "Listing", string(factsLine(nil, e, s.facts, s.may(ctx, path.Dir(p)))), "End.")
}

// status is STAT: of the session, or a listing over the control connection.
func status(s *session, arg string) {
	opts, p := parseList(arg)
	if p == "" && arg == "" {
		s.replyLines(211, "Cancale FTP", "Logged in as "+string(s.login.Login), "No data connection", "End.")
		return
	}
	l, err := s.listingOf("STAT", p)
	if err != nil {
		s.refuse(err)
		return
	}
	now := time.Now()
	w := bufio.NewWriterSize(s, listBuffer)
	_, _ = w.WriteString("213-Listing\r\n")
	err = s.each(l, opts, func(e jail.Entry) error {
		// A line that begins with a blank is never taken for the last one.
		_, err := w.Write(listLine([]byte(" "), e, now))
		return err
	})
	if err != nil {
		_, _ = w.WriteString(" incomplete\r\n")
	}
	_, _ = w.WriteString("213 End.\r\n")
	_ = w.Flush()
}
