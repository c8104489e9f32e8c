package jail

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAListingSaysWhatStatSays holds every kind of file, and more of them than
// one reading of a directory gives, to what os says of each.
func TestAListingSaysWhatStatSays(t *testing.T) {
	home := newHome(t, siteUID)
	j, www := openJail(t, home, siteUID), filepath.Join(home, "www")
	must(t, os.WriteFile(filepath.Join(www, "file"), []byte("twelve bytes"), 0o640))
	must(t, os.Chmod(filepath.Join(www, "file"), 0o640|os.ModeSetuid|os.ModeSetgid))
	must(t, os.Mkdir(filepath.Join(www, "folder"), 0o755))
	must(t, os.Chmod(filepath.Join(www, "folder"), 0o777|os.ModeSticky))
	must(t, os.Symlink("file", filepath.Join(www, "link")))
	must(t, os.Symlink("/etc/passwd", filepath.Join(www, "out")))
	must(t, unix.Mkfifo(filepath.Join(www, "pipe"), 0o600))
	must(t, unix.Mknod(filepath.Join(www, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(filepath.Join(www, "disk"), unix.S_IFBLK|0o660, int(unix.Mkdev(7, 200))))
	socket, err := net.Listen("unix", filepath.Join(www, "socket"))
	must(t, err)
	defer socket.Close()
	const many = 2000
	for i := range many {
		must(t, os.WriteFile(filepath.Join(www, fmt.Sprintf("one-of-many-%04d", i)), nil, 0o644))
	}
	seen := map[string]bool{}
	must(t, j.List("www", func(entries []Entry) error {
		for _, e := range entries {
			want, err := os.Lstat(filepath.Join(www, e.Name()))
			must(t, err)
			if seen[e.Name()] || e.Mode() != want.Mode() || e.Size() != want.Size() || !e.ModTime().Equal(want.ModTime()) || e.IsDir() != want.IsDir() {
				t.Errorf("%s: %v, %d bytes, %v; want %v, %d, %v", e.Name(), e.Mode(), e.Size(), e.ModTime(), want.Mode(), want.Size(), want.ModTime())
			}
			seen[e.Name()] = true
			switch inside := e.Target != nil; e.Name() {
			case "link":
				if !inside || e.Target.Size() != 12 || e.Link != "file" {
					t.Errorf("link leads to %v, %q", e.Target, e.Link)
				}
			default:
				if inside {
					t.Errorf("%s leads to %v", e.Name(), e.Target)
				}
			}
			if uid, gid := e.Owner(); uid != 0 || gid != 0 || e.Links() == 0 {
				t.Errorf("%s: of %d:%d, %d links", e.Name(), uid, gid, e.Links())
			}
		}
		return nil
	}))
	if len(seen) != many+8 {
		t.Errorf("%d entries", len(seen))
	}
}
