package agent

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cancale/internal/config"
	"cancale/internal/driver/apache"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/supervise"
	"cancale/internal/testenv"
)

var root = hosting.System("test")

// settings are what a child needs to be the agent.
type settings struct {
	Store  store.Config
	Root   string
	Apache apache.Config
}

func (s settings) layout() config.Layout { return config.Layout{Root: s.Root} }

func (s settings) run(ctx context.Context) error {
	node, err := store.OpenNode(ctx, s.Store, "main")
	if err != nil {
		return err
	}
	defer node.Close()
	return Run(ctx, s.config(node))
}

func (s settings) config(node *store.NodeStore) Config {
	return Config{Store: node, Layout: s.layout(), Services: supervise.Client{Socket: s.layout().SupervisorSocket()}, Apache: s.Apache}
}

// agentVar makes the test's binary be the agent itself.
const agentVar = "CANCALE_TEST_AGENT"

func TestMain(m *testing.M) {
	text := os.Getenv(agentVar)
	if text == "" {
		slog.SetDefault(slog.New(slog.DiscardHandler))
		os.Exit(testenv.Main(m))
	}
	slog.SetLogLoggerLevel(slog.LevelWarn)
	var s settings
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		err = s.run(ctx)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// world is an installation without an agent: MariaDB, the supervisor, Apache.
type world struct {
	settings
	t       testing.TB
	store   *store.Store
	server  *testenv.MariaDBServer
	account hosting.Account
	admin   *sql.DB
}

func newWorld(t testing.TB) *world { return newWorldAt(t, testenv.Layout(t)) }

func newWorldAt(t testing.TB, l config.Layout) *world {
	t.Helper()
	inst := testenv.Install(t)
	mysqld := filepath.Dir(l.MariaDBSocket())
	for dir, mode := range map[string]fs.FileMode{l.Run(): 0o711, mysqld: 0o755} {
		if err := errors.Join(os.MkdirAll(dir, mode), os.Chmod(dir, mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(inst.Server.Socket, l.MariaDBSocket()); err != nil {
		t.Fatal(err)
	}
	inst.App.AgentSocket = l.AgentSocket()
	inst.Agent.Socket = l.MariaDBSocket()
	w := &world{t: t, server: inst.Server, store: inst.Open(t), settings: settings{
		Store: inst.Agent, Root: l.Root,
		Apache: apache.Config{Bind: "127.0.0.1", HTTPPort: testenv.FreePort(t), HTTPSPort: testenv.FreePort(t)},
	}}
	w.startServices()

	plan, err := w.store.CreatePlan(t.Context(), root, hosting.PlanSpec{Name: "all", Label: "all", Sites: hosting.Unlimited, Databases: hosting.Unlimited, FTPLogins: hosting.Unlimited, DiskMB: hosting.Unlimited})
	if err != nil {
		t.Fatal(err)
	}
	w.account, err = w.store.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "asso", Label: "Asso", Plan: plan.Name})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// startServices starts a supervisor with Apache.
func (w *world) startServices() {
	w.t.Helper()
	l := w.layout()
	sup, err := supervise.New(supervise.Config{
		Layout: l, Instance: "test-" + strconv.Itoa(os.Getpid()), Idle: time.Minute, Changed: func() {}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { sup.Stop("apache") })
	web := apache.New(host.New(l, nil), w.Apache)
	program, args := testenv.WithoutResolver(w.t, web.Program(), web.Arguments())
	if err := web.Boot(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	err = sup.Start(w.t.Context(), supervise.Service{
		Name: "apache", Path: program, Args: args, Env: apache.Environment(), Log: l.In("log", "apache.log"), Grace: time.Second,
		Probe: func(ctx context.Context, _ int) error {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(w.Apache.HTTPPort)))
			if err == nil {
				err = c.Close()
			}
			return err
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// work runs the agent in this process until the test ends, or stop is called.
func (w *world) work() (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	}
	w.t.Cleanup(stop)
	w.eventually("the agent is ready", func() bool {
		pid, err := os.ReadFile(w.layout().AgentReady())
		return err == nil && strings.TrimSpace(string(pid)) == strconv.Itoa(os.Getpid())
	})
	return stop
}

// child starts the agent in a process of its own that ends before step n.
func (w *world) child(n int) *exec.Cmd {
	w.t.Helper()
	text, err := json.Marshal(w.settings)
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), "/proc/self/exe")
	cmd.Env = []string{agentVar + "=" + string(text), "CANCALE_KILL_AT=" + strconv.Itoa(n)}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	return cmd
}

// eventually waits until a condition holds.
func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func (w *world) create(names ...string) []hosting.Site {
	w.t.Helper()
	specs := make([]hosting.SiteSpec, len(names))
	for i, n := range names {
		specs[i] = hosting.SiteSpec{Host: hosting.Hostname(n)}
	}
	sites, err := w.store.CreateSites(w.t.Context(), root, w.account.ID, specs)
	if err != nil {
		w.t.Fatal(err)
	}
	return sites
}

// wait returns when a thing is in a state at the generation.
func (w *world) wait(resource hosting.Resource, id, generation uint64, want hosting.State) hosting.Sync {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 60*time.Second)
	defer cancel()
	for {
		sync, err := w.store.Wait(ctx, hosting.Key{Resource: resource, ID: id}, generation)
		if err != nil {
			w.t.Fatalf("%s %d: %+v, %v", resource, id, sync, err)
		}
		if sync.State == want {
			return sync
		}
		select { // it failed, and is tried again
		case <-ctx.Done():
			w.t.Fatalf("%s %d is %s (%v), want %s", resource, id, sync.State, sync.Problem, want)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (w *world) live(sites ...hosting.Site) {
	w.t.Helper()
	for _, s := range sites {
		w.wait(hosting.ResourceSite, uint64(s.ID), s.Sync.Generation, hosting.Live)
	}
}

// get asks Apache for a page of a host.
func (w *world) get(host hosting.Hostname, path string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", w.Apache.HTTPPort, path), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Host, req.Close = host.String(), true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// script puts a file into what is served of a site.
func (w *world) script(site hosting.Site, name, text string) {
	w.t.Helper()
	path := filepath.Join(w.layout().Home(string(site.HomeToken)), string(site.DocumentRoot), name)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chown(path, int(site.UID), int(site.UID))); err != nil {
		w.t.Fatal(err)
	}
}

// things lists everything of sites that lies in the installation.
func (w *world) things() []string {
	w.t.Helper()
	l := w.layout()
	var list []string
	for _, dir := range []string{l.Homes(), l.Sockets(), l.PHP(), l.Sandbox(), l.ApacheSites(), l.In("log", "sites"), l.In("log", "names"), l.In("run", "activated")} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.t.Fatal(err)
		}
		for _, e := range entries {
			list = append(list, filepath.Join(filepath.Base(dir), e.Name()))
		}
	}
	return list
}
