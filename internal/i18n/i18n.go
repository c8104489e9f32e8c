// Package i18n says things in French and in English: the texts of the
// catalogues, plurals, numbers, sizes, dates and delays.
//
// It never decides what to say and imports nothing of ours: a message reaches
// it as a key and its arguments.
package i18n

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Languages are the ones that have a catalogue; the first is the default.
var Languages = []string{"fr", "en"}

//go:embed fr.json en.json
var files embed.FS

// catalogues are read when somebody has something to say: most processes of an
// installation never do, and they start faster.
var catalogues = sync.OnceValue(load)

func load() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, lang := range Languages {
		data, err := files.ReadFile(lang + ".json")
		if err != nil {
			panic(err) // embedded at build time
		}
		texts := map[string]string{}
		if err := json.Unmarshal(data, &texts); err != nil {
			panic(fmt.Sprintf("i18n: catalogue %s: %v", lang, err))
		}
		all[lang] = texts
	}
	return all
}

type contextKey int

const (
	langKey contextKey = iota
	zoneKey
)

// WithLang makes ctx speak lang; an unknown language is the default one.
func WithLang(ctx context.Context, lang string) context.Context {
	if _, ok := catalogues()[lang]; !ok {
		lang = Languages[0]
	}
	return context.WithValue(ctx, langKey, lang)
}

// Lang is the language that ctx speaks.
func Lang(ctx context.Context) string {
	if lang, ok := ctx.Value(langKey).(string); ok {
		return lang
	}
	return Languages[0]
}

// WithZone makes ctx tell times in zone instead of the machine's.
func WithZone(ctx context.Context, zone *time.Location) context.Context {
	return context.WithValue(ctx, zoneKey, zone)
}

func zoneOf(ctx context.Context) *time.Location {
	if zone, ok := ctx.Value(zoneKey).(*time.Location); ok && zone != nil {
		return zone
	}
	return time.Local
}

// Match picks the language for an Accept-Language header.
func Match(accept string) string {
	best, bestQuality := Languages[0], 0.0
	for part := range strings.SplitSeq(accept, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		quality := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			quality, _ = strconv.ParseFloat(q, 64)
		}
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if _, ok := catalogues()[primary]; ok && quality > bestQuality {
			best, bestQuality = primary, quality
		}
	}
	return best
}

// T is the text of key in the language of ctx, with {0}, {1}… replaced by
// args. Integers are written as the language groups digits. A key that exists
// as key.one and key.other is chosen by its first argument. A key that does not
// exist is returned as it is: the tests allow none.
func T(ctx context.Context, key string, args ...any) string {
	lang := Lang(ctx)
	texts := make([]string, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case string:
			texts[i] = a
		case int:
			texts[i] = Number(ctx, int64(a))
		case int64:
			texts[i] = Number(ctx, a)
		default:
			texts[i] = fmt.Sprint(a)
		}
	}
	text, ok := catalogues()[lang][key]
	if !ok && len(args) > 0 {
		text, ok = catalogues()[lang][key+plural(lang, args[0])]
	}
	if !ok {
		return key
	}
	return fill(text, texts)
}

// Message is T for a message whose arguments are texts already.
func Message(ctx context.Context, key string, args []string) string {
	list := make([]any, len(args))
	for i, a := range args {
		list[i] = a
	}
	return T(ctx, key, list...)
}

// Text is T where there is no context: the command line.
func Text(lang, key string, args ...string) string {
	return Message(WithLang(context.Background(), lang), key, args)
}

// plural is the ending of the key for a count: French counts 0 and 1 as
// singular, English only 1.
func plural(lang string, count any) string {
	var n int64
	switch c := count.(type) {
	case int:
		n = int64(c)
	case int64:
		n = c
	case string:
		v, err := strconv.ParseInt(c, 10, 64)
		if err != nil {
			return ".other"
		}
		n = v
	}
	if n == 1 || n == -1 || n == 0 && lang == "fr" {
		return ".one"
	}
	return ".other"
}

// fill puts args in the places {0}, {1}…; what an argument holds is not looked
// at again.
func fill(text string, args []string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		number, after, closed := strings.Cut(rest, "}")
		n, err := strconv.Atoi(number)
		if !closed || err != nil || n < 0 || n >= len(args) {
			b.WriteString("{")
			text = rest
			continue
		}
		b.WriteString(args[n])
		text = after
	}
}
