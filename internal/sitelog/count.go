package sitelog

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
	"cancale/internal/traffic"
)

const (
	slowAfter = time.Second
	maxName   = 160 // bytes of a path or a host that are counted as one
	// maxDelta bounds what is held of one site between two writings.
	maxDelta = 400
	// maxHeld bounds what is held of all sites together, in names.
	maxHeld = 100_000
	// maxAgents bounds what is remembered of programs' names.
	maxAgents = 5000
)

// How long what was counted waits to be written. The more sites were visited,
// the longer; a program that is killed takes less than a minute with it.
const (
	shortestWait = 3 * time.Second
	longestWait  = 45 * time.Second
	waitPerSite  = 20 * time.Millisecond
)

// counter counts what passes. It holds only what is new since it last wrote.
type counter struct {
	dir    string
	salt   salt
	today  today
	day    string // that is being counted
	since  time.Time
	sites  map[uint64]*tally
	robots map[string]bool // by the name of the program
	held   int             // names, of all sites
}

// tally is what is new of a site. Its numbers are pointed to, so that counting
// on allocates nothing.
type tally struct {
	hits, pages, robots, bytes int64

	status                  map[int]int64
	top, missing, referrers map[string]*int64
	slow                    map[string]*traffic.Slow
	seen                    traffic.Sketch
}

func (t *tally) of() traffic.Day {
	return traffic.Day{
		Hits: t.hits, Pages: t.pages, Robots: t.robots, Bytes: t.bytes, Status: t.status, Seen: t.seen,
		Names: traffic.Names{Top: plain(t.top), Missing: plain(t.missing), Referrers: plain(t.referrers), Slow: plain(t.slow)},
	}
}

func plain[V any](m map[string]*V) map[string]V {
	values := make(map[string]V, len(m))
	for name, v := range m {
		values[name] = *v
	}
	return values
}

func newCounter(layout config.Layout) *counter {
	return &counter{
		dir: layout.Counts(), salt: salt{path: filepath.Join(layout.Memory(), "salt")},
		sites: map[uint64]*tally{}, robots: map[string]bool{},
	}
}

// add counts a line of an access log.
func (c *counter) add(site uint64, line []byte, now time.Time) {
	r, ok := parseRequest(line)
	if !ok {
		return
	}
	if day := c.today.day(now); day != c.day || c.held > maxHeld {
		c.write()
		c.day = day
	}
	t := c.sites[site]
	if t == nil {
		if len(c.sites) == 0 {
			c.since = now
		}
		t = &tally{status: map[int]int64{}}
		c.sites[site] = t
	}
	t.hits++
	t.bytes += r.bytes
	t.status[r.status]++
	robot := c.robot(r.agent)
	page := isPage(r.path)
	if robot {
		t.robots++
	}
	switch {
	case r.status == 404 || r.status == 410:
		c.more(&t.missing, r.path)
	case !robot && page && string(r.method) == "GET" && (r.status < 300 || r.status == 304):
		t.pages++
		c.more(&t.top, r.path)
		t.seen.Add(c.salt.hash(c.day, r.address, r.agent))
		c.more(&t.referrers, referrer(r.referrer))
	}
	if r.took >= slowAfter && page {
		c.slow(t, r.path, r.took.Milliseconds())
	}
}

// more counts a name among the others, as long as there are few.
func (c *counter) more(names *map[string]*int64, name []byte) {
	name = name[:min(len(name), maxName)]
	if n, known := (*names)[string(name)]; known {
		*n++
		return
	}
	if len(name) == 0 || len(*names) >= maxDelta {
		return
	}
	if *names == nil {
		*names = map[string]*int64{}
	}
	(*names)[string(name)] = new(int64(1))
	c.held++
}

func (c *counter) slow(t *tally, path []byte, ms int64) {
	path = path[:min(len(path), maxName)]
	s, known := t.slow[string(path)]
	if !known {
		if len(t.slow) >= maxDelta {
			return
		}
		if t.slow == nil {
			t.slow = map[string]*traffic.Slow{}
		}
		s = &traffic.Slow{}
		t.slow[string(path)] = s
		c.held++
	}
	s.N++
	s.Took += ms
	s.Worst = max(s.Worst, ms)
}

// robot reports whether a program says that it is one.
func (c *counter) robot(agent []byte) bool {
	known, ok := c.robots[string(agent)]
	if ok {
		return known
	}
	if len(c.robots) >= maxAgents {
		clear(c.robots)
	}
	is := isRobot(string(agent))
	c.robots[string(agent)] = is
	return is
}

// robotWords are in the names of programs that are no browsers.
var robotWords = []string{
	"bot", "crawl", "spider", "slurp", "curl/", "wget", "python", "java/", "okhttp", "go-http", "libwww", "perl", "ruby", "php/",
	"monitor", "uptime", "preview", "facebookexternalhit", "scan", "feed", "http://", "https://", "headless", "wordpress/", "axios", "node-fetch",
}

func isRobot(agent string) bool {
	if agent == "" || agent == "-" {
		return true
	}
	lower := strings.ToLower(agent)
	return slices.ContainsFunc(robotWords, func(word string) bool { return strings.Contains(lower, word) })
}

// request is what a line of an access log says.
type request struct {
	address, method, path, referrer, agent []byte

	status int
	bytes  int64
	took   time.Duration
}

// parseRequest reads a line as server.conf.tmpl has Apache write it:
//
//	%a - %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" %D
//
// Apache escapes the quotes of what comes from outside. Nobody can name himself
// so that his name ends before the request does: no name has an unescaped quote
// after a bracket.
func parseRequest(line []byte) (request, bool) {
	var r request
	var ok bool
	if r.address, line, ok = bytes.Cut(line, []byte{' '}); !ok {
		return r, false
	}
	begin := bytes.Index(line, []byte(`] "`))
	if begin < 0 {
		return r, false
	}
	what, line, ok := quoted(line[begin+2:])
	if !ok || len(line) < 5 || line[0] != ' ' {
		return r, false
	}
	status, line, ok := bytes.Cut(line[1:], []byte{' '})
	if !ok {
		return r, false
	}
	n, ok := number(status)
	if !ok || n > 999 {
		return r, false
	}
	r.status = int(n)
	sent, line, _ := bytes.Cut(line, []byte{' '})
	r.bytes, _ = number(sent)
	r.referrer, line, ok = quoted(line)
	if ok && len(line) > 1 {
		r.agent, line, ok = quoted(line[1:])
		if ok && len(line) > 1 {
			micros, _ := number(line[1:])
			r.took = time.Duration(min(micros, int64(24*time.Hour/time.Microsecond))) * time.Microsecond
		}
	}
	r.method, what, _ = bytes.Cut(what, []byte{' '})
	if end := bytes.IndexAny(what, " ?"); end >= 0 {
		what = what[:end]
	}
	if len(what) > 0 && what[0] == '/' {
		r.path = what
	}
	return r, true
}

// quoted cuts a text in quotes off the beginning of another.
func quoted(text []byte) (inside, after []byte, ok bool) {
	if len(text) == 0 || text[0] != '"' {
		return nil, text, false
	}
	for at := 1; ; {
		end := bytes.IndexByte(text[at:], '"')
		if end < 0 {
			return nil, text, false
		}
		end += at
		slashes := 0
		for text[end-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return text[1:end], text[end+1:], true
		}
		at = end + 1
	}
}

func number(digits []byte) (int64, bool) {
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	var n int64
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = 10*n + int64(d-'0')
	}
	return n, true
}

// isPage reports whether a path is of something that people read, rather than
// of what a page is made of.
func isPage(path []byte) bool {
	if len(path) == 0 {
		return false
	}
	dot := bytes.LastIndexByte(path, '.')
	if dot < 0 || bytes.IndexByte(path[dot:], '/') >= 0 {
		return true
	}
	switch string(path[dot+1:]) {
	case "html", "htm", "php", "phtml", "xhtml", "pdf", "odt", "docx", "asp", "aspx", "jsp":
		return true
	}
	return len(path)-dot > 6 // no ending, but a word behind a dot
}

// referrer is the host name of an address.
func referrer(address []byte) []byte {
	rest, ok := bytes.CutPrefix(address, []byte("https://"))
	if !ok {
		if rest, ok = bytes.CutPrefix(address, []byte("http://")); !ok {
			return nil
		}
	}
	if end := bytes.IndexAny(rest, `/?#:\@ `); end >= 0 {
		rest = rest[:end]
	}
	if !bytes.ContainsFunc(rest, func(r rune) bool { return r >= 'A' && r <= 'Z' }) {
		return rest
	}
	return bytes.ToLower(rest)
}

// writeDue writes when what is new has waited long enough.
func (c *counter) writeDue(now time.Time) {
	wait := min(shortestWait+time.Duration(len(c.sites))*waitPerSite, longestWait)
	if age := now.Sub(c.since); age >= wait || age < 0 {
		c.write()
	}
}

// write brings what is new to a file of its own. What cannot be written is lost,
// as a log would be.
func (c *counter) write() {
	if len(c.sites) == 0 {
		return
	}
	if err := c.writeBatch(); err != nil {
		slog.Error("traffic not counted", slog.Any("error", err))
	}
	clear(c.sites)
	c.held = 0
}

// maxWaiting is how many batches may wait for the agent to take them.
const maxWaiting = 5000

func (c *counter) writeBatch() error {
	if err := os.Mkdir(c.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	waiting, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	if len(waiting) >= maxWaiting {
		return errors.New("too many counts wait")
	}
	name := time.Now().UTC().Format("20060102150405") + rand.Text()
	f, err := os.OpenFile(filepath.Join(c.dir, name+unfinished), os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriter(f)
	lines := json.NewEncoder(out)
	for site, t := range c.sites {
		err = errors.Join(err, lines.Encode(Count{Site: site, Date: c.day, Day: t.of()}))
	}
	if err = errors.Join(err, out.Flush(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), filepath.Join(c.dir, name+finished))
}

// Batches are files of their own, which no two programs write to; their names
// begin with the time, and no two are the same.
const (
	unfinished = ".new"
	finished   = ".json"
)

// Count is what is new of a site's day.
type Count struct {
	Site uint64 `json:"site"`
	Date string `json:"day"`

	traffic.Day
}

// Batches names what was counted and not yet taken away, the oldest first. What
// a killed program left half-written is removed.
func Batches(layout config.Layout) ([]string, error) {
	entries, err := os.ReadDir(layout.Counts())
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sitelog: %w", err)
	}
	var names []string
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case finished:
			names = append(names, strings.TrimSuffix(e.Name(), finished))
		case unfinished:
			if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > time.Hour {
				_ = os.Remove(filepath.Join(layout.Counts(), e.Name())) // again in an hour
			}
		}
	}
	return names, nil
}

// ReadBatch is what a batch says. Lines that say nothing are passed over.
func ReadBatch(layout config.Layout, name string) ([]Count, error) {
	f, err := os.Open(filepath.Join(layout.Counts(), name+finished))
	if err != nil {
		return nil, fmt.Errorf("sitelog: %w", err)
	}
	defer f.Close()
	var counts []Count
	lines := json.NewDecoder(bufio.NewReader(f))
	for {
		var c Count
		err := lines.Decode(&c)
		if errors.Is(err, io.EOF) {
			return counts, nil
		}
		if err != nil { // of a disk that lost it
			slog.Error("batch of counts broken", slog.String("name", name), slog.Any("error", err))
			return counts, nil
		}
		if IsDay(c.Date) && c.Site != 0 {
			counts = append(counts, c)
		}
	}
}

// ForgetBatch removes a batch.
func ForgetBatch(layout config.Layout, name string) error {
	if err := os.Remove(filepath.Join(layout.Counts(), name+finished)); err != nil && !isMissing(err) {
		return fmt.Errorf("sitelog: %w", err)
	}
	return nil
}

// salt makes an address of a visitor into a number that leads nobody back: of
// random bytes that are other ones each day, and that are in memory only, where
// all programs like this one of the same Apache find them.
type salt struct {
	path string // of a file in memory; where there is no such directory, this program's own memory has to do
	day  string
	text [sha256.Size]byte
}

func (s *salt) hash(day string, address, agent []byte) uint64 {
	if s.day != day {
		s.begin(day)
	}
	var text [512]byte
	b := append(text[:0], s.text[:]...)
	b = append(b, address...)
	b = append(b, 0)
	b = append(b, agent[:min(len(agent), 256)]...)
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}

// begin takes up the salt of a day, which the first program that asks makes.
func (s *salt) begin(day string) {
	s.day = day
	_, _ = rand.Read(s.text[:]) // never fails
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX) != nil {
		return
	}
	var held [len(time.DateOnly) + sha256.Size]byte
	if n, _ := f.ReadAt(held[:], 0); n == len(held) && string(held[:len(day)]) == day {
		copy(s.text[:], held[len(day):])
		return
	}
	_, _ = f.WriteAt(append([]byte(day), s.text[:]...), 0) // else the others count with their own
}
