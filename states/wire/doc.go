// Package wire holds the messages of OAuth 2.1 and MCP authorization as plain
// values: functions that build requests, functions that judge responses, and
// the registry of rules that a judgement cites. It does no I/O.
package wire
