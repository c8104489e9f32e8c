package jail

import (
	"errors"
	"io"
	"os"
	"path"
)

// Dir is a directory that is being listed, for whoever takes its entries one
// part at a time.
type Dir struct {
	jail *Jail
	name string
	file *os.File
}

// OpenDir opens a directory to be listed.
func (j *Jail) OpenDir(name string) (*Dir, error) {
	d := &Dir{jail: j, name: local(name)}
	err := j.id.do(func() (err error) {
		d.file, err = j.root.OpenFile(d.name, openDir, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Next is some more entries, in no order, without uploads in progress. At the
// end there are none, and the error is io.EOF. They stand behind those in
// entries, whose memory is used again.
func (d *Dir) Next(entries []Entry) ([]Entry, error) {
	for {
		err := d.jail.id.do(func() error {
			infos, err := d.file.Readdir(batch)
			for _, info := range infos {
				if inProgress(info.Name()) {
					continue
				}
				e := Entry{FileInfo: info}
				d.jail.resolve(&e, path.Join(d.name, info.Name()))
				entries = append(entries, e)
			}
			return err
		})
		if len(entries) > 0 && errors.Is(err, io.EOF) {
			return entries, nil // the end is told at the next call
		}
		if err != nil || len(entries) > 0 {
			return entries, err
		}
	}
}

// Close ends the listing.
func (d *Dir) Close() error { return d.file.Close() }
