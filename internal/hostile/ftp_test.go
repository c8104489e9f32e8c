package hostile

import (
	"strings"
	"testing"
)

// ftpHeavy are those that take the machine to its limits or need its root.
var ftpHeavy = []row{
	{"F03", "SITE CHMOD, RNTO, STOR, DELE outside of the home", heavy(func(t *testing.T, w *world) {
		path := target(t)
		w.attacker.sh(t, "ln -sfn "+path+" www/root; ln -sfn "+strings.TrimSuffix(path, "/of-root")+" www/rootdir")
		kept(t, path, func() {
			kept(t, w.victim.outside+"/www/secret.txt", func() {
				say := w.attacker.raw(t)
				for _, name := range append(w.outsideNames(), "www/root", "www/rootdir/of-root", "www/rootdir/new") {
					say("SITE CHMOD 777 %s", name)
					say("RNFR www/own.txt")
					say("RNTO %s/../new", name)
					if strings.HasPrefix(say("RNFR %s", name), "3") {
						say("RNTO www/stolen")
					}
					say("MKD %s.d", name)
					say("MFMT 20000101000000 %s", name)
				}
				c := w.attacker.ftp(t)
				for _, name := range append(w.outsideNames(), "www/rootdir/of-root", "www/rootdir/new") {
					_ = c.Stor(name, strings.NewReader("pwned"))
				}
			})
		})
		c := w.attacker.ftp(t)
		if err := c.Stor("www/f03.txt", strings.NewReader("own")); err != nil {
			t.Errorf("the means do not work: %v", err)
		}
		stopped(t, "moved here", w.attacker.sh(t, "cat www/stolen"), "root:", "of root")
		w.attacker.sh(t, "rm -f www/out www/victim www/file www/root www/rootdir")
	})},
}
