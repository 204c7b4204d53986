package trace

// maxAligned bounds the table of the alignment; longer traces are compared
// step by step.
const maxAligned = 3000

// align pairs the steps that are the same in both: the longest common
// subsequence of state and event.
func align(a, b []exchange) [][2]int {
	same := func(i, j int) bool { return a[i].From == b[j].From && a[i].Event == b[j].Event }
	var out [][2]int
	n := 0
	for n < len(a) && n < len(b) && same(n, n) {
		out = append(out, [2]int{n, n})
		n++
	}
	la, lb := len(a)-n, len(b)-n
	if la > maxAligned || lb > maxAligned {
		return out
	}
	best := make([][]uint16, la+1)
	for i := range best {
		best[i] = make([]uint16, lb+1)
	}
	for i := la - 1; i >= 0; i-- {
		for j := lb - 1; j >= 0; j-- {
			if same(n+i, n+j) {
				best[i][j] = best[i+1][j+1] + 1
			} else {
				best[i][j] = max(best[i+1][j], best[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < la && j < lb; {
		switch {
		case same(n+i, n+j):
			out = append(out, [2]int{n + i, n + j})
			i, j = i+1, j+1
		case best[i+1][j] >= best[i][j+1]:
			i++
		default:
			j++
		}
	}
	return out
}
