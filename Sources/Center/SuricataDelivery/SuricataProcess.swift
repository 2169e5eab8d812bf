// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc
import ProgramRuns

/// Runs Suricata's programs.
enum SuricataProcess {
    /// - Parameters:
    ///   - arguments: the program's path first.
    ///   - output: a file for what the program prints, errors included.
    ///   - isInBackground: whether it gives way to everything else on the machine.
    /// - Returns: its exit status; 128 and the signal's number for a program that a signal ended.
    static func run(
        _ arguments: [String], output: String, within seconds: Double, isInBackground: Bool = false
    ) throws(EpitopeError) -> Int32 {
        let outcome: ProgramRun.Outcome
        do {
            outcome = try ProgramRun.run(arguments, output: output, within: seconds, isInBackground: isInBackground)
        } catch {
            throw absent(arguments[0], error)
        }
        guard case .exited(let status) = outcome else {
            throw EpitopeError(
                .suricataTimeout, "\(arguments.joined(separator: " ")) did not end in \(seconds) seconds",
                remedy: "run the command to see what it does; a large configuration may need a longer command timeout")
        }
        return status
    }

    /// Starts a program; the caller waits for its end (`waitpid`).
    static func start(_ arguments: [String], output: String) throws(EpitopeError) -> pid_t {
        do { return try ProgramRun.start(arguments, output: output) } catch { throw absent(arguments[0], error) }
    }

    private static func absent(_ program: String, _ error: ProgramRun.Unstartable) -> EpitopeError {
        EpitopeError(
            .suricataAbsent, "\(program) can't be run: \(error.reason)",
            remedy: "install Suricata 7 (Scripts/install-dependencies), and name its program in the center's settings")
    }
}
