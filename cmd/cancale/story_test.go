package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"cancale/internal/config"
	"cancale/internal/testenv"
)

// These stories need applications, which are fetched for them alone.
const (
	wordpressStory = "testdata/script/wordpress.txtar"
	dokuwikiStory  = "testdata/script/dokuwiki.txtar"
)

// TestStories runs the scripts of testdata/script: whole stories told from
// outside, on the binary that users run, with the daemons that it starts.
func TestStories(t *testing.T) {
	all, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tell(t, slices.DeleteFunc(all, func(file string) bool { return file == wordpressStory || file == dokuwikiStory }), nil)
}

// TestWordPress puts the real WordPress on a site as a member would.
func TestWordPress(t *testing.T) {
	tell(t, []string{wordpressStory}, map[string]string{"WORDPRESS": testenv.WordPress(t)})
}

// TestDokuWiki puts the real DokuWiki on a site.
func TestDokuWiki(t *testing.T) {
	tell(t, []string{dokuwikiStory}, map[string]string{"DOKUWIKI": testenv.DokuWiki(t)})
}

func tell(t *testing.T, files []string, vars map[string]string) {
	if os.Geteuid() != 0 {
		t.Fatal("a private installation needs root")
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "cancale"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(storyLimit),
		WorkdirRoot:         t.TempDir(),
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			if err := os.Mkdir(home, 0o700); err != nil {
				return err
			}
			jar, err := cookiejar.New(nil)
			if err != nil {
				return err
			}
			env.Values[theStage] = &stage{data: filepath.Join(env.WorkDir, "data"), jar: jar}
			env.Setenv("HOME", home)
			env.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			env.Setenv("CANCALE_DATA", filepath.Join(env.WorkDir, "data"))
			// What a script cannot write down.
			env.Setenv("LINES", "www\nmarees.example")
			env.Setenv("LONG", strings.Repeat("a.", 146)+"example")
			env.Setenv("SEVENTY", strings.Repeat("a", 70))
			for name, value := range vars {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up": up, "down": down, "kill9": kill9, "signal": signalService,
			"cancale": cancale, "exits": exits,
			"field": field, "keep": keep, "match": match,
			"http": httpRequest, "ftp": ftp, "eventually": eventually,
		},
	})
}

type stageKey struct{}

var theStage stageKey

// stage is what one script plays on: one private installation.
type stage struct {
	data string
	up   *exec.Cmd
	done chan exit // of up
	jar  *cookiejar.Jar
}

// exit is how a process ended.
type exit struct{ err error }

func on(ts *testscript.TestScript) *stage {
	s, ok := ts.Value(theStage).(*stage)
	if !ok {
		ts.Fatalf("no stage")
	}
	return s
}

const (
	storyLimit = 6 * time.Minute   // for all scripts of a test
	startLimit = 120 * time.Second // for an installation to be ready
	stopLimit  = 10 * time.Second  // what is promised
)

// up starts the installation and waits until it is ready. It leaves HTTP_PORT,
// FTP_PORT, FTPS_PORT and PANEL_URL behind.
func up(ts *testscript.TestScript, _ bool, args []string) {
	s := on(ts)
	log, err := os.OpenFile(ts.MkAbs("up.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	defer log.Close()
	ports := []string{"up", "--panel-port", "0", "--http-port", "0", "--https-port", "0", "--ftp-port", "0", "--sftp-port", "0"}
	s.up = exec.Command(filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "cancale"), append(ports, args...)...)
	s.up.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "CANCALE_DATA=" + s.data}
	s.up.Dir = "/"
	s.up.Stdout, s.up.Stderr = log, log
	s.up.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ts.Check(s.up.Start())
	s.done = make(chan exit, 1)
	go func() { s.done <- exit{s.up.Wait()} }()
	ts.Defer(func() { s.stop() })
	status := ready(ts)
	ts.Setenv("HTTP_PORT", strconv.Itoa(status.HTTPPort))
	ts.Setenv("FTP_PORT", strconv.Itoa(status.FTPPort))
	ts.Setenv("FTPS_PORT", strconv.Itoa(status.FTPSPort))
	ts.Setenv("SFTP_PORT", strconv.Itoa(status.SFTPPort))
	ts.Setenv("PANEL_URL", strings.TrimSuffix(status.PanelURL, "/"))
}

// ready waits until the command line says that the installation is ready, or
// up has ended.
func ready(ts *testscript.TestScript) config.Status {
	s := on(ts)
	asked := make(chan error, 1)
	go func() { asked <- ts.Exec("cancale", "status", "--wait", startLimit.String(), "--json") }()
	select {
	case end := <-s.done:
		ts.Fatalf("up ended before it was ready: %v\n%s", end.err, ts.ReadFile("up.log"))
	case err := <-asked:
		if err != nil {
			ts.Fatalf("not ready: %v\n%s", err, ts.ReadFile("up.log"))
		}
	}
	var status config.Status
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &status))
	return status
}

// stop ends up if it still runs.
func (s *stage) stop() {
	if s.up == nil {
		return
	}
	_ = s.up.Process.Signal(syscall.SIGTERM) // it may be gone
	select {
	case <-s.done:
	case <-time.After(2 * stopLimit):
		s.killAll()
		<-s.done
	}
	s.up = nil
}

// down stops the installation as Ctrl-C does; it must end in time and without
// an error.
func down(ts *testscript.TestScript, _ bool, _ []string) {
	s := on(ts)
	ts.Check(s.up.Process.Signal(syscall.SIGINT))
	select {
	case end := <-s.done:
		s.up = nil
		if end.err != nil {
			ts.Fatalf("up ended with %v\n%s", end.err, ts.ReadFile("up.log"))
		}
	case <-time.After(stopLimit):
		ts.Fatalf("up still runs after %v\n%s", stopLimit, ts.ReadFile("up.log"))
	}
}

// kill9 kills every process of the installation at once, as a power cut does.
func kill9(ts *testscript.TestScript, _ bool, _ []string) {
	s := on(ts)
	if killed := s.killAll(); killed < 5 {
		ts.Fatalf("only %d processes were found to kill", killed)
	}
	<-s.done
	s.up = nil
}

// signalService sends a signal to one service of the installation: signal
// STOP panel.
func signalService(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT, "KILL": syscall.SIGKILL}
	if neg || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal STOP|CONT|KILL SERVICE")
	}
	status, err := config.ReadStatus(config.Layout{Root: on(ts).data})
	ts.Check(err)
	i := slices.IndexFunc(status.Services, func(s config.Service) bool { return s.Name == args[1] })
	if i < 0 || status.Services[i].PID == 0 {
		ts.Fatalf("%s does not run", args[1])
	}
	ts.Check(syscall.Kill(status.Services[i].PID, signals[args[0]]))
}

// killAll kills up and everything that bears the installation's mark.
func (s *stage) killAll() int {
	mark, err := os.ReadFile(filepath.Join(s.data, "etc", "instance"))
	if err != nil {
		mark = []byte("none")
	}
	killed := 1
	_ = s.up.Process.Kill() // it may be gone
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range environs {
		env, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(env, append([]byte("CANCALE_INSTANCE="), bytes.TrimSpace(mark)...)) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}

// cancale runs a command that must end with 0, or, after !, with anything else.
func cancale(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("cancale", args...)
	if (err != nil) != neg {
		ts.Fatalf("cancale %s: %v", strings.Join(args, " "), err)
	}
}

// exits runs a program that must end with a status: exits 4 cancale site …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGUMENTS…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// lookUp finds a value in the JSON document of the last command; path is such
// as sync.state or 0.host.
func lookUp(ts *testscript.TestScript, path string) string {
	var value any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &value))
	for step := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			found, ok := v[step]
			if !ok {
				ts.Fatalf("%s: there is no %s", path, step)
			}
			value = found
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				ts.Fatalf("%s: there is no %s in a list of %d", path, step, len(v))
			}
			value = v[i]
		default:
			ts.Fatalf("%s: %v holds nothing", path, value)
		}
	}
	if f, ok := value.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

// field compares a value of the last command's JSON document: field PATH WANT.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: field PATH WANT")
	}
	if got := lookUp(ts, args[0]); (got == args[1]) == neg {
		ts.Fatalf("%s is %q, want %q", args[0], got, args[1])
	}
}

// keep puts a value of the last command's JSON document into a variable.
func keep(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: keep PATH VARIABLE")
	}
	ts.Setenv(args[1], lookUp(ts, args[0]))
}

// match puts what the bracket of a pattern finds in the last output into a
// variable.
func match(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: match PATTERN VARIABLE")
	}
	found := regexp.MustCompile(args[0]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("nothing matches %s", args[0])
	}
	ts.Setenv(args[1], found[1])
}

// maxBody is how much of an answer is shown.
const maxBody = 1 << 20

// httpRequest asks as a browser does, whatever the name resolves to: http GET
// URL, or http POST URL name=value… A value that begins with @ is the name of a
// file to be sent. Its output is the status, the redirection and the body;
// cookies last as long as the script.
func httpRequest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: http METHOD URL [NAME=VALUE…]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	body, kind := fillIn(ts, args[2:])
	req, err := http.NewRequestWithContext(ctx, args[0], args[1], body)
	ts.Check(err)
	if args[0] == http.MethodPost {
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	answer, err := on(ts).browser().Do(req)
	ts.Check(err)
	defer answer.Body.Close()
	page, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), answer.StatusCode)
	if to := answer.Header.Get("Location"); to != "" {
		fmt.Fprintln(ts.Stdout(), "Location: "+to)
	}
	_, err = ts.Stdout().Write(page)
	ts.Check(err)
}

// fillIn is a form as a browser sends it, and its content type.
func fillIn(ts *testscript.TestScript, pairs []string) (*strings.Reader, string) {
	form := url.Values{}
	var text strings.Builder
	parts := multipart.NewWriter(&text)
	files := false
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		file, isFile := strings.CutPrefix(value, "@")
		if !isFile {
			form.Add(name, value)
			ts.Check(parts.WriteField(name, value))
			continue
		}
		files = true
		part, err := parts.CreateFormFile(name, filepath.Base(file))
		ts.Check(err)
		_, err = io.WriteString(part, ts.ReadFile(file))
		ts.Check(err)
	}
	ts.Check(parts.Close())
	if files {
		return strings.NewReader(text.String()), parts.FormDataContentType()
	}
	return strings.NewReader(form.Encode()), "application/x-www-form-urlencoded"
}

// browser reaches every name on this machine and follows no redirection.
func (s *stage) browser() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Client{
		Jar:           s.jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(addr)
				if err != nil {
					return nil, err
				}
				return dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			},
		},
	}
}

// ftp runs commands of lftp, joined by &&: ftp LOGIN PASSWORD COMMANDS.
// (With cmd:fail-exit lftp hangs after a login that is refused.)
func ftp(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: ftp LOGIN PASSWORD COMMANDS")
	}
	ts.Setenv("LFTP_PASSWORD", args[1])
	const settings = "set net:max-retries 1; set net:timeout 20; set net:reconnect-interval-base 1; "
	open := "open --env-password -u " + args[0] + " -p " + ts.Getenv("FTP_PORT") + " " + "127.0.0.1 && "
	if err := ts.Exec("lftp", "--norc", "-c", settings+open+args[2]); (err != nil) != neg {
		ts.Fatalf("lftp: %v", err)
	}
}

// eventually runs a command again and again until it ends with 0 and its
// output holds a text: eventually TEXT PROGRAM ARGUMENTS…
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually TEXT PROGRAM ARGUMENTS…")
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("never said %q: %v", args[0], err)
		}
	}
}
