// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport

/// A service on a host, in which there is another attack whenever it is told, for as long as it runs.
final class AttackedService {
    private let folder: TemporaryFolder
    let process: RunningProcess

    /// - Parameters:
    ///   - clock: that moves on while it runs; `nil`: the machine's own.
    ///   - attacks: after so many it ends.
    init(of host: Host, by clock: ShiftedClock? = nil, attacks: Int) throws {
        let folder = try TemporaryFolder()
        process = try RunningProcess(
            (clock?.moving ?? []) + [
                Command.built("epitope"), "run", "--state", host.state, "--", "/bin/sh", "-c",
                "for n in $(seq \(attacks)); do while [ ! -e \(folder.path)/$n ]; do sleep 0.02; done; "
                    + "\(Command.built("call-series")) 1 0 9555; done",
            ])
        self.folder = folder
    }

    func attack(_ number: Int) throws { _ = try folder.makeFile("\(number)") }
}
