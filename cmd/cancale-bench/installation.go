package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"cancale/internal/config"
)

// installation is a private installation under measurement.
type installation struct {
	binary  string
	layout  config.Layout
	up      *exec.Cmd
	status  status
	account string
	created int
	client  *http.Client
}

// status is what `cancale status --json` says, as far as it is used here.
type status struct {
	PanelURL string `json:"panel_url"`
	HTTPPort int    `json:"http_port"`
	Services []struct {
		Name string `json:"name"`
		PID  int    `json:"pid"`
	} `json:"services"`
	Sites struct {
		Live    int `json:"live"`
		Pending int `json:"pending"`
		Failed  int `json:"failed"`
	} `json:"sites"`
}

// install makes an installation in a directory of its own and starts it.
func install(ctx context.Context, binary string) (*installation, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "cancale-bench-")
	if err != nil {
		return nil, err
	}
	in := &installation{
		binary: binary, layout: config.Layout{Root: dir}, account: "bench",
		// A new connection for each request: a kept one would go on talking to
		// the Apache generation that it met first.
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second},
	}
	start := time.Now()
	if err := in.start(ctx); err != nil {
		in.remove()
		return nil, err
	}
	report("first start, from an empty directory until ready", "%s", ms(time.Since(start)))
	for _, args := range [][]string{
		{"plan", "create", "bench"}, // without limits
		{"account", "create", in.account, "--label", "Bench", "--plan", "bench"},
	} {
		if _, err := in.cancale(ctx, "", args...); err != nil {
			in.remove()
			return nil, err
		}
	}
	return in, nil
}

// start runs `cancale up` until it says that it is ready.
func (in *installation) start(ctx context.Context) error {
	in.up = exec.Command(in.binary, "--data", in.layout.Root, "up", "--panel-port", "0", "--http-port", "0", "--https-port", "0", "--ftp-port", "0", "--sftp-port", "0")
	in.up.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.OpenFile(in.layout.Root+".log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	in.up.Stderr = log
	out, err := in.up.StdoutPipe()
	if err != nil {
		return err
	}
	if err := in.up.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	ready := false
	for !ready && lines.Scan() {
		ready = strings.HasPrefix(lines.Text(), "ready: ")
	}
	if !ready {
		return fmt.Errorf("cancale up ended before it was ready; see %s.log", in.layout.Root)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return in.refresh(ctx)
}

// stop ends the installation in order.
func (in *installation) stop() error {
	if in.up == nil || in.up.Process == nil {
		return nil
	}
	if err := in.up.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return in.up.Wait()
}

// remove stops the installation and deletes it.
func (in *installation) remove() {
	if err := in.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "cancale-bench: stop:", err)
	}
	if err := os.RemoveAll(in.layout.Root); err != nil {
		fmt.Fprintln(os.Stderr, "cancale-bench:", err)
	}
	_ = os.Remove(in.layout.Root + ".log") // may never have been made
}

// cancale runs one command of the command line and gives its standard output.
func (in *installation) cancale(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, in.binary, append([]string{"--data", in.layout.Root}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("cancale %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// refresh reads the status anew.
func (in *installation) refresh(ctx context.Context) error {
	out, err := in.cancale(ctx, "", "status", "--json")
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), &in.status)
}

// pid is the process of a service.
func (in *installation) pid(service string) int {
	for _, s := range in.status.Services {
		if s.Name == service {
			return s.PID
		}
	}
	return 0
}

// vhost is the virtual host of a site. The newest files are looked at first:
// it is a new site that is asked about.
func (in *installation) vhost(host string) (string, error) {
	files, err := filepath.Glob(in.layout.In("apache", "sites", "[0-9]*.conf"))
	if err != nil {
		return "", err
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(b, a)) })
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if strings.Contains(string(text), "ServerName "+host+"\n") {
			return string(text), nil
		}
	}
	return "", fmt.Errorf("%s has no virtual host", host)
}

// get asks Apache for a path of a host.
func (in *installation) get(ctx context.Context, host, path string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", in.status.HTTPPort, path), nil)
	if err != nil {
		return 0, "", err
	}
	req.Host = host
	resp, err := in.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// until asks again and again until the answer is right.
func (in *installation) until(ctx context.Context, host, path string, right func(code int, body string) bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		code, body, err := in.get(ctx, host, path)
		if err == nil && right(code, body) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s%s: no right answer within a minute (last %d, %w)", host, path, code, err)
		case <-time.After(2 * time.Millisecond):
		}
	}
}
