package panel

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"cancale/internal/hosting"
	"cancale/views"
)

// perPage is how many rows a page of a list has.
const perPage = 40

// list reads what the address asks of a list: a page, an order among columns,
// a text looked for. What makes no sense is left out.
func (r *Request) list(columns ...string) (list views.List, page int, sort, search string) {
	query := r.echo.QueryParams()
	page, err := strconv.Atoi(query.Get("page"))
	if err != nil || page < 1 || page > 1_000_000 {
		page = 1
	}
	if sort = query.Get("sort"); !slices.Contains(columns, strings.TrimPrefix(sort, "-")) {
		sort = ""
	}
	shown := url.Values{}
	for name, values := range query {
		if name != "page" && name != "sort" && len(values) > 0 {
			shown.Set(name, values[0])
		}
	}
	if sort != "" {
		shown.Set("sort", sort)
	}
	const longest = 200
	if search = strings.TrimSpace(query.Get("q")); len(search) > longest {
		search = ""
	}
	return views.List{Path: r.path(), Query: shown, Page: page, PerPage: perPage}, page, sort, search
}

// state is the state that a list is narrowed to, "" for any.
func (r *Request) state(allowed ...hosting.State) hosting.State {
	if s := hosting.State(r.Query("state")); slices.Contains(allowed, s) {
		return s
	}
	return ""
}
