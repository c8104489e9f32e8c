package ui

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Chart is figures over time, drawn by the server. Whoever does not see it is
// told Summary, and reads all figures in the table behind it.
type Chart struct {
	ID      string
	Title   string // of the table
	Summary string // what the drawing shows, in a sentence
	Bars    bool   // bars on top of each other, rather than lines
	Whole   bool   // there is nothing between two whole numbers
	Binary  bool   // bytes: the scale has steps of 1024
	Top     float64
	When    string   // head of the column of points: "Jour"
	Points  []string // what each point is called
	Ticks   []string // names below the drawing, evenly spread
	Series  []Series
	Text    func(float64) string // a value in words
}

// Series is one figure of each point of a chart; math.NaN is none.
type Series struct {
	Name   string
	Values []float64
	Look   string // "1" to "6", or "ok", "warn", "fail", "mute"
}

// The drawing's own units; the browser stretches it.
const (
	chartWidth  = 600
	chartHeight = 160
	chartSteps  = 4
)

// top is the highest value of the scale: a round one.
func (c Chart) top() float64 {
	most := c.Top
	for i := range c.Points {
		sum := 0.0
		for _, s := range c.Series {
			v := s.at(i)
			if math.IsNaN(v) {
				continue
			}
			if sum += v; !c.Bars {
				sum = v
			}
			most = math.Max(most, sum)
		}
	}
	if c.Top > 0 && most <= c.Top {
		return c.Top
	}
	return chartSteps * roundUp(most/chartSteps, c.Whole, c.Binary)
}

// roundUp is the next number that people like to count in.
func roundUp(step float64, whole, binary bool) float64 {
	unit := 1.0
	for binary && step > 1000*unit {
		unit *= 1024
	}
	step /= unit
	if step <= 0 || whole && step < 1 {
		return unit
	}
	power := math.Pow(10, math.Floor(math.Log10(step)))
	for _, nice := range []float64{1, 2, 2.5, 5, 10} {
		if next := nice * power; next >= step*(1-1e-9) && (!whole || next == math.Trunc(next)) {
			return next * unit
		}
	}
	return 10 * power * unit
}

// scale is what stands beside the drawing, from the top down.
func (c Chart) scale() []string {
	top := c.top()
	texts := make([]string, 0, chartSteps+1)
	for i := chartSteps; i >= 0; i-- {
		texts = append(texts, c.Text(top*float64(i)/chartSteps))
	}
	return texts
}

func (s Series) at(i int) float64 {
	if i >= len(s.Values) {
		return math.NaN()
	}
	return s.Values[i]
}

func (c Chart) x(i int) float64 {
	if len(c.Points) < 2 {
		return chartWidth / 2
	}
	return chartWidth * float64(i) / float64(len(c.Points)-1)
}

// line is the path of a series, with a gap where there is no value; closed, it
// reaches down to the axis.
func (c Chart) line(s Series, closed bool) string {
	var b strings.Builder
	top := c.top()
	begun := -1
	end := func(i int) {
		if begun >= 0 && closed {
			b.WriteString("L" + px(c.x(i)) + " " + px(chartHeight) + "H" + px(c.x(begun)) + "Z")
		}
		begun = -1
	}
	for i := range c.Points {
		v := s.at(i)
		if math.IsNaN(v) {
			end(i - 1)
			continue
		}
		command := "L"
		if begun < 0 {
			command, begun = "M", i
		}
		b.WriteString(command + px(c.x(i)) + " " + px(chartHeight*(1-v/top)))
		if next := s.at(i + 1); begun == i && math.IsNaN(next) && !closed {
			b.WriteString("h.01") // a point by itself, which its round end shows
		}
	}
	end(len(c.Points) - 1)
	return b.String()
}

// sparkLine is the path of figures, from the lowest of a drawing to its top.
func sparkLine(values []int64) string {
	const width, height = 96, 26
	top := max(slices.Max(append([]int64{1}, values...)), 1)
	var b strings.Builder
	for i, v := range values {
		command := "L"
		if i == 0 {
			command = "M"
		}
		x := float64(width*i) / float64(max(len(values)-1, 1))
		b.WriteString(command + px(x) + " " + px(1+height*(1-float64(v)/float64(top))))
	}
	return b.String()
}

// bar is a part of a column.
type bar struct{ x, y, width, height, look string }

func (c Chart) bars() []bar {
	var all []bar
	slot := chartWidth / float64(max(len(c.Points), 1))
	gap := slot * 0.22
	top := c.top()
	for i := range c.Points {
		at := 0.0
		for _, s := range c.Series {
			v := s.at(i)
			if math.IsNaN(v) || v <= 0 {
				continue
			}
			height := chartHeight * v / top
			at += height
			all = append(all, bar{px(slot*float64(i) + gap/2), px(chartHeight - at), px(slot - gap), px(height), s.Look})
		}
	}
	return all
}

// spot is where a pointer finds what a point says.
type spot struct{ x, width, text string }

func (c Chart) spots() []spot {
	n := len(c.Points)
	spots := make([]spot, 0, n)
	for i, name := range c.Points {
		slot := chartWidth / float64(max(n, 1))
		begin := slot * float64(i)
		if !c.Bars && n > 1 {
			slot = chartWidth / float64(n-1)
			begin = math.Max(0, slot*(float64(i)-0.5))
		}
		lines := []string{name}
		for _, s := range c.Series {
			if v := s.at(i); !math.IsNaN(v) {
				lines = append(lines, c.value(s, v))
			}
		}
		spots = append(spots, spot{px(begin), px(math.Min(slot, chartWidth-begin)), strings.Join(lines, "\n")})
	}
	return spots
}

func (c Chart) value(s Series, v float64) string {
	if len(c.Series) == 1 {
		return c.Text(v)
	}
	return s.Name + "\u00a0: " + c.Text(v)
}

// cell is a figure in the table.
func (c Chart) cell(s Series, i int) string {
	if v := s.at(i); !math.IsNaN(v) {
		return c.Text(v)
	}
	return "–"
}

func (c Chart) cols() []Col {
	cols := []Col{{Label: c.When}}
	for _, s := range c.Series {
		cols = append(cols, Col{Label: s.Name, Num: true})
	}
	return cols
}

// px is a length with as many digits as can be seen.
func px(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}
