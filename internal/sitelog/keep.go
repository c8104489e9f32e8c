package sitelog

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
)

// Retention says how long logs stay, and how long the addresses in them.
type Retention struct {
	Days      int
	Addresses int // then the ends of the addresses of visitors are taken out
}

// quiet is how long a full file is left alone: another splitter may still be
// writing to it.
const quiet = time.Minute

// Keep brings the logs of all sites to what is to be kept now: full files are
// compressed, addresses shortened, and what is too old goes. It may be run at
// any time, and be killed at any time.
func Keep(ctx context.Context, layout config.Layout, now time.Time, r Retention) error {
	dirs := []string{layout.In("log", "server")}
	sites, err := os.ReadDir(layout.In("log", "sites"))
	if err != nil && !isMissing(err) {
		return fmt.Errorf("sitelog: %w", err)
	}
	for _, e := range sites {
		if e.IsDir() {
			dirs = append(dirs, layout.In("log", "sites", e.Name()))
		}
	}
	var errs []error
	for _, dir := range dirs {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := keepDir(ctx, dir, now, r); err != nil && !isMissing(err) {
			errs = append(errs, fmt.Errorf("sitelog: %s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

func keepDir(ctx context.Context, dir string, now time.Time, r Retention) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	gone, short := dayOf(now.AddDate(0, 0, -r.Days)), dayOf(now.AddDate(0, 0, -r.Addresses))
	var errs []error
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		s, full := parseSegment(e.Name())
		switch {
		case strings.HasSuffix(e.Name(), unfinished):
			errs = append(errs, os.Remove(path)) // of one that was killed: there is one keeper
		case full && s.Day < gone:
			errs = append(errs, os.Remove(path))
		case full && (!s.Gzipped || !s.Short && s.Day < short):
			errs = append(errs, pack(ctx, dir, s, now, s.Short || s.Day < short))
		case !full && dayOf(modified(e)) < gone && (e.Name() == Access.current() || e.Name() == Errors.current()):
			errs = append(errs, os.Remove(path)) // nobody has come since
		case !full && dayOf(modified(e)) < short && (e.Name() == Access.current() || e.Name() == Errors.current()):
			errs = append(errs, retire(dir, e.Name(), dayOf(modified(e))))
		}
	}
	return errors.Join(errs...)
}

func modified(e os.DirEntry) time.Time {
	info, err := e.Info()
	if err != nil {
		return time.Now() // it is gone
	}
	return info.ModTime()
}

// retire puts the file of a site that nobody visits any more aside, as the
// splitter does when somebody comes; the next time it is compressed.
func retire(dir, name, day string) error {
	lock, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	info, err := os.Lstat(filepath.Join(dir, name))
	if err != nil || dayOf(info.ModTime()) != day {
		return err // somebody has just come
	}
	s, _, err := nextSegment(dir, Kind(strings.TrimSuffix(name, ".log")), day)
	if err != nil {
		return err
	}
	return os.Rename(filepath.Join(dir, name), filepath.Join(dir, s.name()))
}

// pack writes a full file anew: compressed, and with short addresses where they
// are to be.
func pack(ctx context.Context, dir string, s Segment, now time.Time, short bool) error {
	f, err := s.open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || now.Sub(info.ModTime()) < quiet {
		return err
	}
	var in io.Reader = f
	if s.Gzipped {
		if in, err = gzip.NewReader(f); err != nil {
			return err
		}
	}
	as := s
	as.Gzipped, as.Short = true, short
	path := filepath.Join(dir, as.name())
	out, err := os.OpenFile(path+unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return err
	}
	err = errors.Join(out.Chown(-1, config.PanelUID), packTo(ctx, out, in, short && !s.Short, s.Kind), out.Sync(), out.Close())
	if err == nil {
		// Its day stays that of what is in it.
		err = errors.Join(os.Chtimes(path+unfinished, info.ModTime(), info.ModTime()), os.Rename(path+unfinished, path))
	}
	if err != nil {
		return errors.Join(err, os.Remove(path+unfinished))
	}
	return os.Remove(filepath.Join(dir, s.name()))
}

func packTo(ctx context.Context, out io.Writer, in io.Reader, short bool, kind Kind) error {
	packed := gzip.NewWriter(out)
	lines := packed.Write
	buffer := bytes.Buffer{}
	err := eachWhole(in, func(line []byte) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		buffer.Reset()
		if short {
			line = appendShort(buffer.AvailableBuffer(), line, kind)
		}
		_, err := lines(append(line, '\n'))
		return err
	})
	return errors.Join(err, packed.Close())
}

// eachWhole hands over whole lines; the splitter writes none that is longer
// than a few records.
func eachWhole(in io.Reader, take func([]byte) error) error {
	buffer := make([]byte, 0, block)
	for {
		if len(buffer) == cap(buffer) {
			buffer = append(buffer, 0)[:len(buffer)]
		}
		n, err := in.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		begin := 0
		for {
			end := bytes.IndexByte(buffer[begin:], '\n')
			if end < 0 {
				break
			}
			if err := take(buffer[begin : begin+end : begin+end]); err != nil {
				return err
			}
			begin += end + 1
		}
		buffer = append(buffer[:0], buffer[begin:]...)
		if errors.Is(err, io.EOF) {
			if len(buffer) > 0 {
				return take(buffer)
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// appendShort adds a line whose address names a network and no machine any more.
func appendShort(to, line []byte, kind Kind) []byte {
	begin, end := 0, bytes.IndexByte(line, ' ')
	if kind == Errors {
		const client = "[client "
		if begin = bytes.Index(line, []byte(client)); begin < 0 {
			return append(to, line...)
		}
		begin += len(client)
		end = begin + bytes.Index(line[begin:], []byte("] "))
	}
	if end < begin {
		return append(to, line...)
	}
	to = append(to, line[:begin]...)
	to = append(to, shortAddress(string(line[begin:end]))...)
	return append(to, line[end:]...)
}

// Networks of the size that a provider gives to many.
const (
	shortIPv4 = 24
	shortIPv6 = 48
)

// shortAddress is an address, with or without a port, without its end. What is
// none is taken out whole.
func shortAddress(text string) string {
	address, err := netip.ParseAddr(text)
	if err != nil {
		with, err := netip.ParseAddrPort(text)
		if err != nil {
			return "-"
		}
		address = with.Addr()
	}
	address = address.Unmap()
	bits := shortIPv6
	if address.Is4() {
		bits = shortIPv4
	}
	network, err := address.WithZone("").Prefix(bits)
	if err != nil {
		return "-"
	}
	return network.Addr().String()
}
