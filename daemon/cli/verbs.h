// The functions behind the verbs; cli/table.cpp gives them their names.
#pragma once

#include "daemon/cli/command.h"

namespace ambit::daemon {

int check_command(const Arguments& arguments);
int complete_command(const Arguments& arguments);
int config_command(const Arguments& arguments);
int context_command(const Arguments& arguments);
int doctor_command(const Arguments& arguments);
int engine_command(const Arguments& arguments);
int hook_command(const Arguments& arguments);
int ignore_command(const Arguments& arguments);
int index_command(const Arguments& arguments);
int lsp_command(const Arguments& arguments);
int model_command(const Arguments& arguments);
int plan_command(const Arguments& arguments);
int record_command(const Arguments& arguments);
int refactor_command(const Arguments& arguments);
int remote_command(const Arguments& arguments);
int replay_command(const Arguments& arguments);
int review_command(const Arguments& arguments);
int serve_command(const Arguments& arguments);
int status_command(const Arguments& arguments);
int stop_command(const Arguments& arguments);
int version_command(const Arguments& arguments);

}  // namespace ambit::daemon
