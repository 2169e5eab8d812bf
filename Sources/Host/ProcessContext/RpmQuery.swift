// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Asks rpm which package owns a file, on systems that have it.
enum RpmQuery {
    static let program = "/usr/bin/rpm"

    static func owner(of path: String) -> (package: String, version: String?)? {
        guard path.hasPrefix("/"), let text = ask(["-qf", "--queryformat", "%{NAME}\\t%{VERSION}-%{RELEASE}\\n", path]),
            let line = text.split(separator: "\n").first
        else { return nil }
        let fields = line.split(separator: "\t")
        guard fields.count == 2 else { return nil }
        return (String(fields[0]), String(fields[1]))
    }

    /// The files of an installed package; `nil` when there is none of that name.
    static func files(of package: String) -> [String]? {
        guard !package.hasPrefix("-") else { return nil }
        return ask(["-ql", package])?.split(separator: "\n").map(String.init)
    }

    /// What rpm printed; `nil` where it isn't, or when it failed.
    private static func ask(_ arguments: [String]) -> String? {
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
        // A locked rpm database could keep it for ever.
        let watchdog = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + 5, execute: watchdog)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        watchdog.cancel()
        return process.terminationStatus == 0 ? text : nil
    }
}
