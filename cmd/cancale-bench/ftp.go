package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What is measured with.
const (
	ftpRuns      = 3       // of each figure; the median counts
	bigFile      = 1 << 30 // bytes
	smallFiles   = 5000
	listedFiles  = 10_000
	idleSessions = 500
	logins       = 150
)

// ftpFigure is one line of the comparison: a value of a server, of which more
// is better, or less. part is by what one asks for it.
type ftpFigure struct {
	part       string
	name, unit string
	less       bool
	measure    func(context.Context, ftpServer) (float64, error)
}

// measureFTP puts our FTP service beside those that a host would install
// instead, in one run, turn by turn, on one file system. parts are the figures
// that are wanted; "ftp" is all of them.
func (in *installation) measureFTP(ctx context.Context, parts []string) error {
	dir, err := os.MkdirTemp("", "cancale-bench-ftp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	wanted := func(part string) bool {
		return slices.Contains(parts, part) || strings.HasPrefix(part, "ftp:") && slices.Contains(parts, "ftp")
	}
	load := ftpLoad{filepath.Join(dir, "load")}
	figures := slices.DeleteFunc(load.figures(), func(f ftpFigure) bool { return !wanted(f.part) })
	if len(figures) == 0 {
		return fmt.Errorf("no figure is called %s", strings.Join(parts, ","))
	}
	peers, err := preparePeers(ctx, dir)
	defer peers.stop()
	if err != nil {
		return err
	}
	ours, err := in.ftpServer(ctx)
	if err != nil {
		return err
	}
	if err := load.make([]string{peers.in("home"), ours.home}); err != nil {
		return err
	}
	var byFTP, bySSH []ftpServer // with ours, as far as they are wanted
	for _, f := range figures {
		among := &byFTP
		start := peers.startFTP
		if f.part == "sftp" {
			among, start = &bySSH, peers.openSSH
		}
		if *among == nil {
			if *among, err = start(ctx); err != nil {
				return err
			}
			if f.part == "sftp" {
				if _, err := in.cancale(ctx, "", "ftp", "key", "add", ours.user, peers.in("key.pub")); err != nil {
					return err
				}
			}
			*among = append(*among, ours.with(peers.in("key")))
		}
		if err := compare(ctx, f, *among); err != nil {
			return err
		}
	}
	return nil
}

// ftpServer makes a site and a login, and lifts the limits that one client
// alone would meet.
func (in *installation) ftpServer(ctx context.Context) (ftpServer, error) {
	for _, args := range [][]string{
		{"site", "create", "ftp.bench.example", "--account", in.account, "--wait"},
		{"settings", "set", "ftp.sessions_per_source", "1000"},
		{"settings", "set", "ftp.sessions_per_login", "1000"},
		{"settings", "set", "ftp.tls", "offered"},
	} {
		if _, err := in.cancale(ctx, "", args...); err != nil {
			return ftpServer{}, err
		}
	}
	out, err := in.cancale(ctx, "", "ftp", "create", "bench", "--account", in.account, "--site", "ftp.bench.example", "--path", "www", "--json")
	if err != nil {
		return ftpServer{}, err
	}
	var login struct {
		Login, Password, Root string
		Port                  int
		SSHPort               int `json:"sftp_port"`
	}
	if err := json.Unmarshal([]byte(out), &login); err != nil {
		return ftpServer{}, err
	}
	pause(ctx, 3*time.Second) // settings are looked at every other second
	return ftpServer{
		name: "cancale", user: login.Login, password: login.Password, hash: "argon2id", port: login.Port, sshPort: login.SSHPort, home: login.Root, pid: in.pid("ftpd"),
	}, nil
}

// pause lets a server settle before it is looked at.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// ftpLoad is what is sent, in a directory.
type ftpLoad struct{ dir string }

func (l ftpLoad) big() string  { return filepath.Join(l.dir, "big") }
func (l ftpLoad) tree() string { return filepath.Join(l.dir, "tree") }

// make writes the files to send, and to each home those to fetch.
func (l ftpLoad) make(homes []string) error {
	noise := rand.NewChaCha8([32]byte{1})
	sizes := rand.New(rand.NewPCG(1, 1))
	content := func(file string, size int64) error {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		_, err = io.CopyN(f, noise, size)
		return errors.Join(err, f.Close())
	}
	if err := content(l.big(), bigFile); err != nil {
		return err
	}
	for i := range smallFiles {
		name := filepath.Join(l.tree(), fmt.Sprintf("part-%02d", i/20%12), fmt.Sprintf("folder-%03d", i/20), fmt.Sprintf("file-%d.php", i))
		if err := content(name, 1024+sizes.Int64N(29<<10)); err != nil {
			return err
		}
	}
	for _, home := range homes {
		if err := os.Link(l.big(), filepath.Join(home, "big")); err != nil {
			return err
		}
		for i := range listedFiles {
			if err := content(filepath.Join(home, "many", fmt.Sprintf("some-file-name-%05d.php", i)), 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// figures are all that is compared.
func (l ftpLoad) figures() []ftpFigure {
	secured := []string{"--insecure", "--ssl-reqd"}
	return []ftpFigure{
		{"ftp:download", "FTP, download of 1 GiB", "MB/s", false, steadily(l.download())},
		{"ftp:upload", "FTP, upload of 1 GiB", "MB/s", false, steadily(l.upload())},
		{"ftp:download", "FTP, download of 1 GiB, TLS", "MB/s", false, steadily(l.download(secured...))},
		{"ftp:upload", "FTP, upload of 1 GiB, TLS", "MB/s", false, steadily(l.upload(secured...))},
		{"ftp:small", "FTP, 5,000 small files, 8 at a time", "files/s", false, l.mirror(8)},
		{"ftp:small", "FTP, 5,000 small files, one by one", "files/s", false, l.mirror(1)},
		{"ftp:list", "FTP, MLSD of 10,000 files", "lists/s", false, steadily(list)},
		{"ftp:rest", "FTP, 500 sessions at rest", "MB", true, rest(false)},
		{"ftp:rest", "FTP, 500 sessions at rest, TLS", "MB", true, rest(true)},
		{"ftp:login", "FTP, logins, 8 at a time", "logins/s", false, signIns(ftpServer.signInFTP)},
		{"sftp", "SFTP, download of 1 GiB", "MB/s", false, steadily(l.sftpDownload)},
		{"sftp", "SFTP, upload of 1 GiB", "MB/s", false, steadily(l.sftpUpload)},
		{"sftp", "SFTP, logins, 8 at a time", "logins/s", false, signIns(ftpServer.signInSFTP)},
	}
}

// ftpRun is how long a run lasts at least, of what takes less.
const ftpRun = 3 * time.Second

// steadily measures again and again for as long as a run lasts, and gives the
// rate of the whole: one transfer of a second differs by half from the next,
// whoever serves it.
func steadily(measure func(context.Context, ftpServer) (float64, error)) func(context.Context, ftpServer) (float64, error) {
	return func(ctx context.Context, s ftpServer) (float64, error) {
		times, each := 0.0, 0.0
		for begun := time.Now(); times == 0 || time.Since(begun) < ftpRun; times++ {
			rate, err := measure(ctx, s)
			if err != nil {
				return 0, err
			}
			each += 1 / rate
		}
		return times / each, nil
	}
}

// compare measures a figure of every server, turn by turn, and prints it. What
// each run gave goes to the standard error, since a figure takes minutes.
func compare(ctx context.Context, f ftpFigure, servers []ftpServer) error {
	got := map[string][]float64{}
	for run := range ftpRuns {
		order := slices.Clone(servers)
		if run%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			v, err := f.measure(ctx, s)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s, %s: %v\n", f.name, s.name, err)
				v = math.NaN()
			}
			fmt.Fprintf(os.Stderr, "%s, run %d of %d: %s %.1f %s\n", f.name, run+1, ftpRuns, s.name, v, f.unit)
			got[s.name] = append(got[s.name], v)
		}
	}
	middle := func(name string) float64 {
		slices.Sort(got[name]) // what could not be measured comes first
		return got[name][len(got[name])/2]
	}
	ours := servers[len(servers)-1].name
	best, whose := math.NaN(), "nobody"
	texts := []string{}
	for _, s := range servers {
		v := middle(s.name)
		name := s.name
		if strings.Contains(f.part, "login") || strings.Contains(f.name, "logins") {
			name += " with " + s.hash
		}
		texts = append(texts, fmt.Sprintf("%s %.1f", name, v))
		if s.name != ours && !math.IsNaN(v) && (math.IsNaN(best) || v > best != f.less) {
			best, whose = v, s.name
		}
	}
	report(f.name, "%.2f × %s (%s: %s)", middle(ours)/best, whose, f.unit, strings.Join(texts, ", "))
	return nil
}

// url is where curl finds a file.
func (s ftpServer) url(file string) string {
	return fmt.Sprintf("ftp://%s:%s@127.0.0.1:%d/%s", strings.ReplaceAll(s.user, "@", "%40"), s.password, s.port, file)
}

// run is how long a client program takes.
func (l ftpLoad) run(ctx context.Context, name string, args ...string) (time.Duration, error) {
	start := time.Now()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return time.Since(start), nil
}

func (l ftpLoad) download(options ...string) func(context.Context, ftpServer) (float64, error) {
	return func(ctx context.Context, s ftpServer) (float64, error) {
		took, err := l.run(ctx, "curl", append([]string{"-sS", "-o", os.DevNull, s.url("big")}, options...)...)
		return bigFile / 1e6 / took.Seconds(), err
	}
}

func (l ftpLoad) upload(options ...string) func(context.Context, ftpServer) (float64, error) {
	return func(ctx context.Context, s ftpServer) (float64, error) {
		arrived := filepath.Join(s.home, "up")
		defer os.Remove(arrived)
		took, err := l.run(ctx, "curl", append([]string{"-sS", "-T", l.big(), s.url("up")}, options...)...)
		if err != nil {
			return 0, err
		}
		if info, err := os.Stat(arrived); err != nil || info.Size() != bigFile {
			return 0, fmt.Errorf("not all has come: %w", err)
		}
		return bigFile / 1e6 / took.Seconds(), nil
	}
}

// mirror sends the tree of small files.
func (l ftpLoad) mirror(parallel int) func(context.Context, ftpServer) (float64, error) {
	return func(ctx context.Context, s ftpServer) (float64, error) {
		arrived := filepath.Join(s.home, "tree")
		defer os.RemoveAll(arrived)
		took, err := l.run(ctx, "lftp", "-u", s.user+","+s.password, "-p", strconv.Itoa(s.port), "127.0.0.1", "-e", fmt.Sprintf(
			"set ftp:ssl-allow no; set cmd:fail-exit yes; mirror -R --no-perms --no-umask --parallel=%d %s tree; quit", parallel, l.tree()))
		if err != nil {
			return 0, err
		}
		n := 0
		err = filepath.WalkDir(arrived, func(_ string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				n++
			}
			return err
		})
		if err == nil && n != smallFiles {
			err = fmt.Errorf("%d files have come", n)
		}
		return smallFiles / took.Seconds(), err
	}
}

// list takes a long listing.
func list(ctx context.Context, s ftpServer) (float64, error) {
	c, err := s.signIn(ctx, false)
	if err != nil {
		return 0, err
	}
	defer c.close()
	start := time.Now()
	lines, err := c.list(ctx, "MLSD many")
	took := time.Since(start)
	if err == nil && lines < listedFiles {
		err = fmt.Errorf("%d lines", lines)
	}
	return 1 / took.Seconds(), err
}

// rest is how much memory many sessions take that do nothing.
func rest(secured bool) func(context.Context, ftpServer) (float64, error) {
	return func(ctx context.Context, s ftpServer) (float64, error) {
		open := make([]*ftpClient, 0, idleSessions)
		defer func() {
			for _, c := range open {
				c.close()
			}
			pause(ctx, time.Second)
		}()
		for range idleSessions {
			c, err := s.signIn(ctx, secured)
			if err != nil {
				return 0, fmt.Errorf("session %d: %w", len(open)+1, err)
			}
			open = append(open, c)
		}
		pause(ctx, time.Second)
		return memoryOfFamily(s.pid)
	}
}

// memoryOfFamily is the PSS of a process and of all that it started, in MB.
func memoryOfFamily(pid int) (float64, error) {
	kb, err := pss(pid)
	if err != nil {
		return 0, err
	}
	total := float64(kb) / 1024
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread may end meanwhile
		}
		for word := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				return 0, err
			}
			mb, err := memoryOfFamily(child)
			if err != nil {
				return 0, err
			}
			total += mb
		}
	}
	return total, nil
}

// signIns opens sessions one after the other, eight at a time.
func signIns(signIn func(ftpServer, context.Context) error) func(context.Context, ftpServer) (float64, error) {
	return func(ctx context.Context, s ftpServer) (float64, error) { return s.signIns(ctx, signIn) }
}

func (s ftpServer) signIns(ctx context.Context, signIn func(ftpServer, context.Context) error) (float64, error) {
	var next, failed atomic.Int64
	var clients sync.WaitGroup
	start := time.Now()
	for range 8 {
		clients.Go(func() {
			for next.Add(1) <= logins {
				if signIn(s, ctx) != nil {
					failed.Add(1)
				}
			}
		})
	}
	clients.Wait()
	if n := failed.Load(); n > 0 {
		return 0, fmt.Errorf("%d logins refused", n)
	}
	return logins / time.Since(start).Seconds(), nil
}
