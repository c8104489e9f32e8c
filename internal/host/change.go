package host

// Change makes one change of a kind that only a driver knows how to make, such
// as a statement to a server or a file made through an open directory. Its like
// is to be asked for only when something differs.
func (h *Host) Change(do func() error) error {
	h.change()
	return do()
}
