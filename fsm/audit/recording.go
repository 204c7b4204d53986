package audit

var recordingChecks []Check
