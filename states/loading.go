package states

// Loading: what is stored decides what happens next.
const Loading State = "Loading"

var loadingRoom = []about{{
	state: Loading, group: groupLoading, doing: "reading the stored credential",
	says:  "The stored credential is read.",
	enter: loadCredential,
}}
