// SPDX-License-Identifier: Apache-2.0

import Foundation
import PackagePlugin

/// Compiles an eBPF program with the Swift toolchain's own clang, and embeds its object in a Swift file, so that the
/// agent is one file: the program itself in KernelBackend, and what only measures it (bpf/measure.bpf.c) elsewhere.
@main struct KernelProgram: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) async throws -> [Command] {
        let folder = context.package.directoryURL.appending(path: "bpf")
        let source = folder.appending(path: target.name == "KernelBackend" ? "epitope.bpf.c" : "measure.bpf.c")
        // All headers, so that a change of one recompiles the program.
        let headers = try ["include", "programs"].flatMap {
            try FileManager.default.contentsOfDirectory(at: folder.appending(path: $0), includingPropertiesForKeys: nil)
        }.filter { $0.pathExtension == "h" }.sorted { $0.path() < $1.path() }
        let swift = context.pluginWorkDirectoryURL.appending(path: "KernelProgramObject.swift")
        // One command: an object file among the outputs would become a resource beside the agent.
        return [
            .buildCommand(
                displayName: "Compiling and embedding \(source.lastPathComponent)",
                executable: try context.tool(named: "embed-program").url,
                arguments: [try context.tool(named: "clang").url.path(), source.path(), swift.path()],
                inputFiles: [source] + headers, outputFiles: [swift])
        ]
    }
}
