//go:build stile_light

package open

import (
	"context"
	"fmt"
)

func (s spec) openDatabase(context.Context, Options) (database, error) {
	return nil, fmt.Errorf("open: this program was built without %s (build tag stile_light); a build without the tag has it", s.kind)
}
