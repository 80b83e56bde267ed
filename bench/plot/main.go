// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Command plot draws how figures grow: it reads lines "SERIES X Y" (no blanks in
// SERIES) and writes an SVG with one small panel for each series, X on a
// logarithmic scale, so that what grows with the logarithm is a straight line.
//
//	go run ./bench/plot <docs/log-growth.txt >docs/log-growth.svg
package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
)

// point is one figure.
type point struct{ x, y float64 }

// series are the points of one panel.
type series struct {
	name   string
	points []point
}

func main() {
	all, err := read(os.Stdin)
	if err == nil {
		err = draw(os.Stdout, all)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

// read reads the series in the order of their first lines. Empty lines and those
// that begin with # are passed over.
func read(in io.Reader) ([]*series, error) {
	var all []*series
	known := map[string]*series{}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var name string
		var p point
		if _, err := fmt.Sscan(line, &name, &p.x, &p.y); err != nil || p.x <= 0 || p.y < 0 {
			return nil, fmt.Errorf("line %d is not SERIES X Y, X above 0 and Y not below: %q", n, line)
		}
		if known[name] == nil {
			known[name] = &series{name: name}
			all = append(all, known[name])
		}
		known[name].points = append(known[name].points, p)
	}
	return all, lines.Err()
}

// Sizes of a panel in pixels.
const (
	width, height = 300, 190
	margin        = 44
	columns       = 3
)

// draw writes the panels, side by side.
func draw(out io.Writer, all []*series) error {
	w := bufio.NewWriter(out)
	rows := (len(all) + columns - 1) / columns
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", columns*width, rows*height)
	fmt.Fprintf(w, `<rect width="%d" height="%d" fill="white"/>`+"\n", columns*width, rows*height)
	for i, s := range all {
		panel(w, s, i%columns*width, i/columns*height)
	}
	fmt.Fprintln(w, "</svg>")
	return w.Flush()
}

// panel draws one series with its left upper corner at the place.
func panel(w io.Writer, s *series, left, top int) {
	lowest, highest, most := math.Inf(1), math.Inf(-1), 0.0
	for _, p := range s.points {
		lowest, highest, most = min(lowest, p.x), max(highest, p.x), max(most, p.y)
	}
	span, scale := math.Log(highest/lowest), most
	if span == 0 {
		span = 1
	}
	if scale == 0 {
		scale = 1
	}
	x := func(v float64) float64 {
		return float64(left+margin) + math.Log(v/lowest)/span*(width-margin-24)
	}
	y := func(v float64) float64 { return float64(top+height-26) - v/scale*(height-margin-20) }
	fmt.Fprintf(w, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", left+margin, top+16, strings.ReplaceAll(s.name, "_", " "))
	fmt.Fprintf(w, `<path d="M%.1f %.1fV%.1fH%.1f" fill="none" stroke="#888"/>`+"\n", x(lowest), y(scale), y(0), x(highest))
	path := ""
	for i, p := range s.points {
		path += fmt.Sprintf("%c%.1f %.1f", "ML"[min(i, 1)], x(p.x), y(p.y))
		fmt.Fprintf(w, `<circle cx="%.1f" cy="%.1f" r="3" fill="#06c"/><text x="%.1f" y="%.1f" text-anchor="middle">%.4g</text>`+"\n", x(p.x), y(p.y), x(p.x), y(p.y)-7, p.y)
		fmt.Fprintf(w, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="#666">%s</text>`+"\n", x(p.x), y(0)+14, power(p.x))
	}
	fmt.Fprintf(w, `<path d="%s" fill="none" stroke="#06c"/>`+"\n", path)
}

// power writes a power of ten as one, and other numbers as they are.
func power(v float64) string {
	if e := math.Log10(v); e == math.Trunc(e) && e > 2 {
		return fmt.Sprintf(`10<tspan dy="-4" font-size="8">%d</tspan>`, int(e))
	}
	return fmt.Sprintf("%.4g", v)
}
