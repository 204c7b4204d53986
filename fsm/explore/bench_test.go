package explore

import "testing"

// BenchmarkExplore tells how many situations and steps a second are walked.
func BenchmarkExplore(b *testing.B) {
	for _, world := range Worlds() {
		b.Run(world, func(b *testing.B) {
			situations, steps := 0, 0
			for b.Loop() {
				x, err := New(Options{World: world, Situations: 3000})
				if err != nil {
					b.Fatal(err)
				}
				for x.Run(1000) {
				}
				s := x.Summary()
				situations, steps = situations+s.Situations, steps+s.Steps
			}
			seconds := b.Elapsed().Seconds()
			b.ReportMetric(float64(situations)/seconds, "situations/s")
			b.ReportMetric(float64(steps)/seconds, "steps/s")
		})
	}
}
