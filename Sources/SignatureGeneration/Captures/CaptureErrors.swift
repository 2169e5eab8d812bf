// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// A capture is not there, can't be opened, is no capture, or is of a link type that is not read.
    public static let captureUnreadable = EpitopeError.Code("capture-unreadable")
}
