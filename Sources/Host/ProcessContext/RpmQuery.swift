// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Queries rpm which package owns a file, on systems that have it.
enum RpmQuery {
    static let program = "/usr/bin/rpm"
    /// How long rpm may run.
    private static let maxSeconds = 5.0

    static func owner(of path: String) -> (package: String, version: String?)? {
        guard path.hasPrefix("/"), let text = run(["-qf", "--queryformat", "%{NAME}\\t%{VERSION}-%{RELEASE}\\n", path]),
            let line = text.split(separator: "\n").first
        else { return nil }
        let fields = line.split(separator: "\t")
        guard fields.count == 2 else { return nil }
        return (String(fields[0]), String(fields[1]))
    }

    /// The files of an installed package; `nil` if no package of that name is installed.
    static func files(of package: String) -> [String]? {
        guard !package.hasPrefix("-") else { return nil }
        return run(["-ql", package])?.split(separator: "\n").map(String.init)
    }

    /// Version and release of each installed package of a name; `nil` where rpm can't say.
    static func versions(of package: String) -> [String]? {
        guard !package.hasPrefix("-") else { return nil }
        return run(["-q", "--queryformat", "%{VERSION}-%{RELEASE}\\n", package])?.split(separator: "\n").map(String.init)
    }

    /// The output of rpm; `nil` if it isn't installed, or failed.
    private static func run(_ arguments: [String]) -> String? {
        guard access(program, X_OK) == 0 else { return nil }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ["LC_ALL": "C", "PATH": "/usr/bin:/bin"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        // A locked rpm database could block it without end.
        let watchdog = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + maxSeconds, execute: watchdog)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        watchdog.cancel()
        return process.terminationStatus == 0 ? text : nil
    }
}
