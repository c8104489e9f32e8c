package ftpd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

// The benchmarks count client and server together, on one machine. Set TMPDIR
// to a directory in memory to leave the disk out.

const benchBytes = 256 << 20

func BenchmarkUpload(b *testing.B) {
	m := newMember(b, quick())
	c := m.connect()
	chunk := make([]byte, 1<<20)
	b.SetBytes(benchBytes)
	for b.Loop() {
		d := c.data()
		c.want(150, "STOR www/up")
		for range benchBytes / len(chunk) {
			_, err := d.Write(chunk)
			check(b, err)
		}
		check(b, d.Close())
		c.reply(226)
	}
}

func BenchmarkDownload(b *testing.B) {
	m := newMember(b, quick())
	m.write("down", strings.Repeat("x", benchBytes))
	c := m.connect()
	chunk := make([]byte, 1<<20)
	b.SetBytes(benchBytes)
	for b.Loop() {
		d := c.data()
		c.want(150, "RETR www/down")
		for {
			if _, err := d.Read(chunk); errors.Is(err, io.EOF) {
				break
			}
		}
		c.reply(226)
	}
}

func BenchmarkSmallUpload(b *testing.B) {
	m := newMember(b, quick())
	c := m.connect()
	content := []byte(strings.Repeat("x", 4096))
	for i := 0; b.Loop(); i++ {
		d, err := net.Dial("tcp", c.port())
		check(b, err)
		c.want(150, fmt.Sprintf("STOR www/f%d", i%1000))
		_, err = d.Write(content)
		check(b, err)
		check(b, d.Close())
		c.reply(226)
	}
}

func BenchmarkMLSD10000(b *testing.B) {
	m := newMember(b, quick())
	check(b, os.Mkdir(m.www("many"), 0o755))
	for i := range 10_000 {
		m.write(fmt.Sprintf("many/file-%d.txt", i), "")
	}
	c := m.connect()
	for b.Loop() {
		c.get("MLSD www/many")
	}
}
