package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"cancale/internal/config"
)

const testUID = config.LastSiteUID - 1

// site makes a home and the specification of a program that runs a line of
// shell in it: the attacker's tool, not ours.
func site(t testing.TB, line string) Spec {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("sandboxes are made by root: run the tests as root")
	}
	home := t.TempDir()
	for dir := home; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(home, "www"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(home, "www"), testUID, testUID); err != nil {
		t.Fatal(err)
	}
	return Spec{
		Name: "example.org", UID: testUID, GID: testUID, Home: home,
		Program: "/bin/sh", Args: []string{"-c", line}, Env: []string{"PATH=/usr/bin:/bin", "HOME=" + Home},
	}
}

// output runs the specification to its end.
func output(t testing.TB, spec Spec, files ...*os.File) (string, error) {
	t.Helper()
	cmd := Command(spec, files)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return strings.TrimSpace(out.String()), err
}

func run(t *testing.T, line string) string {
	t.Helper()
	out, err := output(t, site(t, line))
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return out
}

func TestHomeIsWhereTheConfigurationSays(t *testing.T) {
	if Home != config.SiteHome {
		t.Errorf("Home = %s, config.SiteHome = %s", Home, config.SiteHome)
	}
}

func TestASiteFindsItself(t *testing.T) {
	spec := site(t, "getent ahosts www.itself.example; cat /etc/hosts")
	spec.Names, spec.Address = []string{"itself.example", "www.itself.example"}, netip.MustParseAddr("127.0.0.7")
	out, err := output(t, spec)
	machine, readErr := os.ReadFile("/etc/hosts")
	if err != nil || readErr != nil || !strings.HasPrefix(out, "127.0.0.7") || !strings.Contains(out, strings.TrimSpace(string(machine))) {
		t.Errorf("%v %v: %s", err, readErr, out)
	}
}

func TestOnlyWhatIsNamedIsVisible(t *testing.T) {
	tests := []struct{ line, want string }{
		{"ls /", "bin dev etc lib lib32 lib64 libx32 proc run sbin srv tmp usr var"},
		{"ls /srv", "site"},
		{"ls /run", ""},
		{"ls /tmp /var", "/tmp: /var: tmp"},
		{"ls /dev", "fd full null random shm stderr stdin stdout urandom zero"},
		{"ls /srv/site", "www"},
		{"cat /etc/passwd", fmt.Sprintf("site:x:%d:%d::/srv/site:/bin/sh", testUID, testUID)},
		{"cat /etc/group", fmt.Sprintf("site:x:%d:", testUID)},
		{"ls -d /etc/shadow /etc/apache2 /etc/mysql /etc/ssh /etc/cron.d /etc/ssl/private /root /home /sys /boot /opt /var/lib /var/log 2>/dev/null", ""},
		{"pwd", "/srv/site"},
		{"id -un; id -Gn", "site site"},
		{"umask", "0022"},
		{"env | sort | grep -v ^_ | grep -v ^PWD= | grep -v ^SHLVL=", "HOME=/srv/site PATH=/usr/bin:/bin"},
	}
	for _, tt := range tests {
		spec := site(t, tt.line)
		out, _ := output(t, spec) // ls of what is missing fails
		got := strings.Join(strings.Fields(out), " ")
		if strings.HasPrefix(tt.want, "bin dev") { // lib32 and libx32 depend on the machine
			got = strings.NewReplacer(" lib32", "", " libx32", "", " lib64", "").Replace(got)
			tt.want = strings.NewReplacer(" lib32", "", " libx32", "", " lib64", "").Replace(tt.want)
		}
		if got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.line, got, tt.want)
		}
	}
}

func TestTheProgramHasNoPrivilege(t *testing.T) {
	status := run(t, "cat /proc/self/status")
	got := map[string]string{}
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		got[key] = strings.Join(strings.Fields(value), " ")
	}
	id := strconv.Itoa(testUID)
	all := strings.Join([]string{id, id, id, id}, " ")
	none := "0000000000000000"
	for key, want := range map[string]string{
		"Uid": all, "Gid": all, "Groups": "", "NoNewPrivs": "1", "Seccomp": "2",
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
	} {
		if got[key] != want {
			t.Errorf("%s = %q, want %q", key, got[key], want)
		}
	}
	limits := strings.Fields(run(t, "for l in nproc nofile core; do prlimit --noheadings --output HARD --$l; done"))
	if diff := cmp.Diff([]string{"100", "2048", "0"}, limits); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
}

func TestAttacksAreRefused(t *testing.T) {
	victim := t.TempDir()
	if err := os.WriteFile(filepath.Join(victim, "secret"), []byte("the secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	sleeper := exec.Command("/bin/sleep", "60")
	sleeper.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: testUID, Gid: testUID}}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() }()
	tests := []struct{ name, line string }{
		{"another home is not there", "cat " + victim + "/secret"},
		{"the machine's /tmp is not there", "ls " + os.TempDir() + "/* | grep ."},
		{"not even a process of the same uid is seen", fmt.Sprintf("kill -0 %d || ls /proc/%d/root", sleeper.Process.Pid, sleeper.Process.Pid)},
		{"the system is read-only", "touch /usr/x || touch /etc/x || touch /x || mkdir /run/x || touch /dev/x"},
		{"the top of the home is not the site's", "touch /srv/site/x || chmod 777 /srv/site || mv /srv/site/www /srv/site/w"},
		{"no namespace", "unshare -U true || unshare -m true || unshare -r true"},
		{"no mount", "mount -t tmpfs tmpfs /tmp"},
		{"no setuid program works", "/usr/bin/su -c true || /usr/bin/passwd -S root"},
		{"no device can be made", "mknod /tmp/sda b 8 0"},
		{"nothing outside through the file descriptors", "ls /proc/self/fd | grep -v '^[0-3]$'"},
		{"/dev/shm is bounded", "head -c 20M /dev/zero > /dev/shm/x"},
		{"/tmp is bounded", "head -c 70M /dev/zero > /tmp/x"},
		{"no core dump", "ulimit -c unlimited"},
	}
	for _, tt := range tests {
		if out, err := output(t, site(t, tt.line)); err == nil {
			t.Errorf("%s: %s succeeded: %s", tt.name, tt.line, out)
		}
	}
}

func TestProcessesOfTheMachineAreInvisible(t *testing.T) {
	// 1 is the program itself, the rest its children.
	if got := run(t, "ls /proc | grep -c '^[0-9]' ; readlink /proc/1/exe"); !strings.HasPrefix(got, "3\n") && !strings.HasPrefix(got, "2\n") {
		t.Errorf("processes seen: %s", got)
	}
	// mount_namespaces(7): field 4 is what of a filesystem is mounted, the one
	// after the dash its type.
	for line := range strings.Lines(run(t, "cat /proc/self/mountinfo")) {
		fields := strings.Fields(line)
		_, kind, _ := strings.Cut(line, " - ")
		if fields[3] == "/" && !strings.HasPrefix(kind, "tmpfs") && !strings.HasPrefix(kind, "proc") {
			t.Errorf("a whole filesystem of the machine is visible: %s", line)
		}
	}
}

func TestSystemCallsAreFiltered(t *testing.T) {
	spec := site(t, "")
	spec.Program, spec.Args = "/usr/bin/perl", []string{"-MSocket", "-e", `
		for my $family (16, 17, 38, AF_INET, AF_UNIX) { print socket(my $s, $family, SOCK_DGRAM, 0) ? "yes " : "$! " }`}
	out, err := output(t, spec)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	no := syscall.EAFNOSUPPORT.Error()
	if want := strings.Repeat(strings.ToUpper(no[:1])+no[1:]+" ", 3) + "yes yes"; out != want {
		t.Errorf("netlink, packet, crypto, inet, unix:\n%s\nwant\n%s", out, want)
	}
}

func TestOwnFilesAreWritable(t *testing.T) {
	spec := site(t, "echo hello > /srv/site/www/index.html && chmod 600 /srv/site/www/index.html && echo x > /tmp/x && cat /tmp/x")
	if out, err := output(t, spec); err != nil || out != "x" {
		t.Fatalf("%v: %s", err, out)
	}
	info, err := os.Stat(filepath.Join(spec.Home, "www", "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != testUID || st.Gid != testUID || info.Mode().Perm() != 0o600 {
		t.Errorf("owner %d:%d, mode %v", st.Uid, st.Gid, info.Mode())
	}
}

func TestBindsAndDescriptorsAreHandedIn(t *testing.T) {
	dir := t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(dir, "mysqld.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	pool := filepath.Join(dir, "pool.conf")
	if err := os.WriteFile(pool, []byte("pool"), 0o644); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	spec := site(t, "cat /run/php/pool.conf; ls /run/mysqld; echo handed >&3; echo x >> /run/php/pool.conf && echo written")
	spec.Binds = []Bind{{From: pool, To: "/run/php/pool.conf", ReadOnly: true}}
	spec.MariaDBSocketDir = dir
	out, _ := output(t, spec, w)
	w.Close()
	if !strings.HasPrefix(out, "poolmysqld.sock\npool.conf") || strings.Contains(out, "written") {
		t.Errorf("inside: %s", out)
	}
	var b [16]byte
	if n, _ := r.Read(b[:]); string(b[:n]) != "handed\n" {
		t.Errorf("through descriptor 3: %q", b[:n])
	}
}

func TestInitBuriesOrphansAndPassesOn(t *testing.T) {
	t.Run("the program's status is the sandbox's", func(t *testing.T) {
		spec := site(t, "(sleep 0.05 &) ; exit 7")
		spec.Init = true
		_, err := output(t, spec)
		if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 7 {
			t.Errorf("err = %v, want exit status 7", err)
		}
	})
	t.Run("a signal reaches a program that does not catch it", func(t *testing.T) {
		spec := site(t, "echo started; exec sleep 60")
		spec.Init = true
		cmd := Command(spec, nil)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var b [16]byte
		if _, err := stdout.Read(b[:]); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 128+int(syscall.SIGTERM) {
			t.Errorf("err = %v, want exit status 143", err)
		}
	})
	t.Run("number 1 is the site's and has no privilege", func(t *testing.T) {
		spec := site(t, "grep -h -e ^Uid -e ^CapBnd -e ^Seccomp: /proc/1/status | tr -s '\\t' ' '; cat /proc/1/comm")
		spec.Init = true
		out, err := output(t, spec)
		if want := fmt.Sprintf("Uid: %[1]d %[1]d %[1]d %[1]d\nCapBnd: 0000000000000000\nSeccomp: 2\n", testUID); err != nil || !strings.HasPrefix(out, want) {
			t.Errorf("%v: %s, want %s", err, out, want)
		}
	})
}

func TestKillingTheProgramKillsAllThatItStarted(t *testing.T) {
	spec := site(t, "sleep 60 & sleep 60 & echo started; wait")
	cmd := Command(spec, nil)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var b [16]byte
	if _, err := stdout.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if left := ofUID(t, testUID); left == 0 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d processes are left", left)
		}
	}
}

// ofUID counts the processes of a uid.
func ofUID(t *testing.T, uid uint32) int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, dir := range dirs {
		var st unix.Stat_t
		if unix.Stat(dir, &st) == nil && st.Uid == uid {
			n++
		}
	}
	return n
}

func TestSpecificationsThatOpenTooMuchAreRefused(t *testing.T) {
	good := Spec{Name: "a", UID: testUID, GID: testUID, Home: "/srv/cancale/t/x", Program: "/usr/bin/php8.2"}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Spec){
		"root":                        func(s *Spec) { s.UID = 0 },
		"root's group":                func(s *Spec) { s.GID = 0 },
		"a uid of the machine":        func(s *Spec) { s.UID = 33 },
		"no home":                     func(s *Spec) { s.Home = "" },
		"the whole machine as home":   func(s *Spec) { s.Home = "/" },
		"a home with dots":            func(s *Spec) { s.Home = "/srv/../etc" },
		"a relative program":          func(s *Spec) { s.Program = "php" },
		"a name that is a line":       func(s *Spec) { s.Names, s.Address = []string{"a\n10.0.0.1 b"}, netip.MustParseAddr("127.0.0.1") },
		"a name at no address":        func(s *Spec) { s.Names = []string{"a.example"} },
		"a bind over the system":      func(s *Spec) { s.Binds = []Bind{{From: "/a", To: "/etc/passwd"}} },
		"a bind out of its directory": func(s *Spec) { s.Binds = []Bind{{From: "/a", To: "/run/../etc/passwd"}} },
		"a bind of the whole machine": func(s *Spec) { s.Binds = []Bind{{From: "/", To: "/run/all"}} },
		"a zero byte":                 func(s *Spec) { s.Args = []string{"a\x00b"} },
	} {
		s := good
		change(&s)
		if s.Check() == nil {
			t.Errorf("%s was accepted", name)
		}
		if err := Command(s, nil).Start(); err == nil {
			t.Errorf("%s was started", name)
		}
	}
}

// BenchmarkTrue is what a sandbox costs: a program that does nothing, from
// nothing to its end.
func BenchmarkTrue(b *testing.B) {
	spec := site(b, "")
	spec.Program, spec.Args = "/bin/true", nil
	for b.Loop() {
		if out, err := output(b, spec); err != nil {
			b.Fatal(err, out)
		}
	}
}

// BenchmarkTrueBare is its floor.
func BenchmarkTrueBare(b *testing.B) {
	for b.Loop() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Fatal(err)
		}
	}
}
