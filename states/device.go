package states

import (
	"errors"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// Device: the user decides at another device, with a code that is shown to them (RFC
// 8628). Nothing listens here and no browser is opened. The code is the issuer's answer, or
// one that an earlier process was given and parked.
const (
	RecoveringDevice State = "Recovering-Device"
	StartingDevice   State = "Starting-Device"
	ParkingDevice    State = "Parking-Device"
)

var deviceRoom = []about{
	{
		state: RecoveringDevice, group: groupFinding, doing: "looking for a code that is still good",
		says: "The code that an earlier process was given is looked for.",
		enter: func(d *Data) []Effect {
			return []Effect{Load{Serial: d.Serial, Key: d.Config.DeviceKey()}}
		},
		holds: loginUnderWay,
	},
	{
		state: StartingDevice, group: groupLogin, doing: "asking for a code for the user",
		says: "The issuer is asked for a code that the user types at another device.",
		enter: func(d *Data) []Effect {
			f := d.Flow
			return []Effect{post(d, wire.DeviceRequest(wire.TokenParams{
				Endpoint: f.Server.DeviceEndpoint, Client: f.Client, Scopes: f.Requested, Resource: f.Resource,
			}))}
		},
		holds: all(issuerFound, func(d *Data) string {
			return unless(d.Flow.Client.ID != "" && d.Flow.Server.DeviceEndpoint != "", "there is no client, or nothing to ask")
		}),
	},
	{
		state: ParkingDevice, group: groupLogin, doing: "storing the login",
		says: "The code and the interval are stored, so that any process can go on with the login.",
		enter: func(d *Data) []Effect {
			f := *d.Flow
			f.Candidates = nil
			l := DeviceLogin{Version: RecordVersion, Flow: &f, Entry: d.Entry}
			return []Effect{show(d), Save{
				Serial: d.Serial, Key: d.Config.DeviceKey(), Value: mustEncode(&l), Expected: f.Login, Expires: f.Deadline,
			}}
		},
		holds: all(issuerFound, deviceStarted),
	},
}

// DeviceLogin is a parked login at another device: what another process of the same account
// needs to go on asking whether the user has decided. Entry is the generation of the
// credential when it was parked; with any other, the login has had its result.
type DeviceLogin struct {
	Version int        `json:"version"`
	Flow    *Flow      `json:"flow"`
	Entry   Generation `json:"entry,omitzero"`
}

// DecodeDeviceLogin reads a parked login at another device. It refuses an unknown version,
// and the record is kept.
func DecodeDeviceLogin(value wire.Secret) (DeviceLogin, error) {
	var l DeviceLogin
	if err := Decode(value, &l); err != nil {
		return DeviceLogin{}, err
	}
	if l.Version != RecordVersion {
		return DeviceLogin{}, ErrRecordVersion
	}
	if l.Flow == nil || l.Flow.Device == nil || l.Flow.Device.Code == "" || !l.Flow.hasServer() {
		return DeviceLogin{}, errors.New("the login record is incomplete")
	}
	return l, nil
}

// Device is what an issuer gave for a user who decides at another device.
type Device struct {
	wire.Device
	// Next is when the issuer is asked next whether the user has decided.
	Next time.Time `json:"next"`
}

// Show says what to show the user until the login has ended: the address, and the code to
// enter there. Complete, if there is one, is an address that contains the code; the code is
// shown beside it nevertheless (rule ext-device-verification-uri).
type Show struct {
	URL, Complete string
	UserCode      wire.Secret
	Issuer        string
	Deadline      time.Time
}

func (Show) effect() {}

func show(d *Data) Show {
	f := d.Flow
	return Show{URL: f.Device.URL, Complete: f.Device.Complete, UserCode: f.Device.UserCode, Issuer: f.Server.Issuer, Deadline: f.Deadline}
}

func deviceStarted(d *Data) string {
	return unless(d.Flow.Device != nil && d.Flow.Device.Code != "", "the issuer gave no code")
}
